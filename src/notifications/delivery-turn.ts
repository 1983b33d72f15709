import { ConflictError } from '../storage/errors.ts'
import type { AbortOptions, ObjectStore } from '../storage/object-store.ts'
import { Rounds } from '../storage/rounds.ts'
import type { Logger } from '../telemetry/logger.ts'

/** Ours, beside the queues: who delivers what is in them, of all Discos on one store. */
const HOLDER = 'disco/delivery/holder'

export interface DeliveryTurnOptions {
  /** Tells this Disco from the others, and is its own again after a restart. */
  readonly name: string
  /** Milliseconds between two signs of life. @default 10,000 */
  readonly interval?: number | undefined
  /** Milliseconds of silence after which another takes over. @default 30,000 */
  readonly patience?: number | undefined
}

/**
 * The turn to deliver, which one of several Discos has. Silence is measured by whoever waits, with its own clock: those of
 * machines need not agree. Two may think for a moment that they have it: events come twice then, and are never lost.
 */
export class DeliveryTurn {
  readonly #store: ObjectStore
  readonly #log: Logger
  readonly #name: string
  readonly #interval: number
  readonly #patience: number
  readonly #rounds = new Rounds((signal) => this.#round(signal))
  #signs = 0
  #heldUntil = 0
  #seen: { readonly data: Uint8Array; readonly since: number } | undefined

  constructor(store: ObjectStore, log: Logger, { name, interval = 10_000, patience = 3 * interval }: DeliveryTurnOptions) {
    this.#store = store
    this.#log = log
    this.#name = name
    this.#interval = interval
    this.#patience = patience
  }

  get isOurs(): boolean {
    return performance.now() < this.#heldUntil
  }

  start(): void {
    this.#rounds.start()
  }

  /** Leaves it to whoever looks next. */
  async stop(): Promise<void> {
    await this.#rounds.stop()
    if (!this.isOurs) return
    this.#heldUntil = 0
    const data = this.#seen?.data
    await this.#store.commit({ expect: [{ path: HOLDER, data }], changes: [{ delete: HOLDER }] }).catch(() => undefined)
  }

  async #round(signal: AbortSignal): Promise<number> {
    try {
      await this.#look({ signal })
    } catch (err) {
      if (!signal.aborted && !(err instanceof ConflictError)) this.#log.warn({ err }, 'could not see who delivers notifications')
    }
    return this.#interval
  }

  /** @throws ConflictError when another was quicker */
  async #look(options: AbortOptions): Promise<void> {
    const begun = performance.now()
    const data = await this.#store.get(HOLDER, options)
    const isKnown = data !== undefined && this.#seen !== undefined && Buffer.compare(data, this.#seen.data) === 0
    if (data !== undefined && !isKnown) this.#seen = { data, since: begun }
    const silence = begun - (this.#seen?.since ?? begun)
    if (data !== undefined && this.#holderOf(data) !== this.#name && silence < this.#patience) {
      this.#heldUntil = 0
      return
    }
    const ours = Buffer.from(JSON.stringify({ holder: this.#name, signs: ++this.#signs, at: new Date().toISOString() }))
    await this.#store.commit({ expect: [{ path: HOLDER, data }], changes: [{ put: HOLDER, data: ours }] }, options)
    this.#seen = { data: ours, since: begun }
    this.#heldUntil = begun + this.#patience - this.#interval / 2
  }

  #holderOf(data: Uint8Array): unknown {
    try {
      return (JSON.parse(Buffer.from(data).toString()) as { holder?: unknown }).holder
    } catch {
      return undefined
    }
  }
}
