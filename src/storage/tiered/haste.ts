import type { Cursor } from './cursor.ts'

/** Milliseconds that somebody waits for pieces in all before it counts how much has come, and the bytes a second that are too few then. */
const PATIENCE = 3000
const LEAST = 512 * 1024
/** For how long others do not begin there, and for how long all stay there because the other one failed, in milliseconds. */
const SLOW = 10_000
const STAY = 60_000
/** Who leaves, at once: where many share what a good copy can do, the authority is not to have all of them. */
const MOST = 8

/** Bytes come, but not enough of them. */
class TooSlowError extends Error {
  override readonly name = 'TooSlowError'
}

/** Leaves a copy that gives little at a time to those who can wait, as far as the authority has what they read. */
export class Haste {
  #leaving = 0
  #slowUntil = -Infinity
  #stayUntil = -Infinity

  /** Whether who begins now had better not do so at the copy. */
  get isSlow(): boolean {
    return this.#mayLeave && performance.now() < this.#slowUntil
  }

  /** @throws TooSlowError once somebody had better go on elsewhere */
  check(cursor: Cursor): void {
    const { waited, passed, stays } = cursor
    if (stays || waited < PATIENCE || passed * 1000 >= LEAST * waited || !this.#mayLeave) return
    cursor.isHeldUp = true
    this.#slowUntil = performance.now() + SLOW
    throw new TooSlowError(`only ${passed} bytes within ${Math.round(waited)} ms`)
  }

  /** Reads elsewhere. */
  async *leave(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    this.#leaving++
    try {
      yield* source
    } finally {
      this.#leaving--
    }
  }

  /** There was nothing to be had elsewhere: who has seen that stays for good. */
  stay(cursor: Cursor): void {
    cursor.stays = true
    this.#stayUntil = performance.now() + STAY
  }

  get #mayLeave(): boolean {
    return this.#leaving < MOST && performance.now() >= this.#stayUntil
  }
}
