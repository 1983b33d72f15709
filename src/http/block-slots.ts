/** Blocks that all answers of a gateway together have in memory, a MiB or two each. */
const SLOTS = 32
/** Answers that may wait for one. */
const WAITING = 256
/** How long an answer may be at one block while others wait, in milliseconds. */
const TURN = 5_000

export interface BlockSlotsOptions {
  readonly slots?: number | undefined
  readonly waiting?: number | undefined
  readonly turn?: number | undefined
}

/**
 * Keeps clients that don't read from holding GBs. An answer has one slot, anew for every block; when all are taken, the
 * next one waits, and whoever has been at its block for too long goes.
 */
export class BlockSlots {
  readonly #slots: number
  readonly #waitingAtMost: number
  readonly #turn: number
  /** When each began with its block, the longest first. */
  readonly #taken = new Map<BlockSlot, number>()
  readonly #waiting = new Map<BlockSlot, () => void>()
  #timer: NodeJS.Timeout | undefined

  constructor({ slots = SLOTS, waiting = WAITING, turn = TURN }: BlockSlotsOptions = {}) {
    this.#slots = slots
    this.#waitingAtMost = waiting
    this.#turn = turn
  }

  /** @param onLate called when the slot is needed and its holder gets nowhere: has to let go of it soon */
  open(onLate: () => void): BlockSlot {
    return new BlockSlot(this, onLate)
  }

  /** False when too many wait already, and `begun` is false. Resolves also when `leave` is called meanwhile. */
  async enter(slot: BlockSlot, begun: boolean): Promise<boolean> {
    this.leave(slot)
    if (this.#taken.size < this.#slots) {
      this.#taken.set(slot, performance.now())
      return true
    }
    if (!begun && this.#waiting.size >= this.#waitingAtMost) return false
    await new Promise<void>((resolve) => {
      this.#waiting.set(slot, resolve)
      this.#timer ??= setInterval(() => this.#dropLate(), this.#turn / 5).unref()
    })
    return true
  }

  leave(slot: BlockSlot): void {
    this.#waiting.get(slot)?.()
    this.#waiting.delete(slot)
    if (!this.#taken.delete(slot)) return
    for (const [next, resolve] of this.#waiting) {
      this.#waiting.delete(next)
      this.#taken.set(next, performance.now())
      resolve()
      return
    }
  }

  #dropLate(): void {
    if (this.#waiting.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
      return
    }
    const now = performance.now()
    for (const [slot, since] of [...this.#taken].slice(0, this.#waiting.size)) if (now - since > this.#turn) slot.drop()
  }
}

export class BlockSlot {
  readonly #slots: BlockSlots
  readonly #onLate: () => void
  #begun = false
  #closed = false

  constructor(slots: BlockSlots, onLate: () => void) {
    this.#slots = slots
    this.#onLate = onLate
  }

  /** The block before is done with; waits until there is room for the next. False, for the first, when there will be none soon. */
  async next(): Promise<boolean> {
    if (this.#closed) return true
    const entered = await this.#slots.enter(this, this.#begun)
    this.#begun = true
    return entered
  }

  close(): void {
    this.#closed = true
    this.#slots.leave(this)
  }

  drop(): void {
    this.#onLate()
    this.close()
  }
}
