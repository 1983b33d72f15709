import type { Logger } from '../../telemetry/logger.ts'
import type { AbortOptions } from '../object-store.ts'
import { Rounds } from '../rounds.ts'
import { AwayError } from './away.ts'

/** Between two rounds, where something is owed, and from one look for what was lost to the next, in milliseconds. */
const EVERY = 10_000
const SOON = 2000
const HEAL_EVERY = 60 * 60 * 1000

export interface TierRoundsParts {
  readonly look: () => Promise<void>
  readonly isAway: () => boolean
  /** Whether nothing is owed any more. */
  readonly pay: (options: AbortOptions) => Promise<boolean>
  readonly heal: (options: AbortOptions) => Promise<number>
  readonly log: Logger
}

/** What one process does for all, again and again. */
export class TierRounds {
  readonly #parts: TierRoundsParts
  readonly #rounds = new Rounds((signal) => this.#round(signal))
  #healAt = 0

  constructor(parts: TierRoundsParts) {
    this.#parts = parts
  }

  start(): void {
    this.#rounds.start()
  }

  stop(): Promise<void> {
    return this.#rounds.stop()
  }

  async #round(signal: AbortSignal): Promise<number> {
    const { look, isAway, pay, heal, log } = this.#parts
    try {
      await look()
      if (isAway()) return SOON
      const isPaid = await pay({ signal })
      if (performance.now() < this.#healAt) return isPaid ? EVERY : SOON
      const count = await heal({ signal })
      this.#healAt = performance.now() + HEAL_EVERY
      if (count > 0) log.info({ count }, 'what one of two stores had lost was brought back')
    } catch (err) {
      // The next one goes on; of the copy's absence is told elsewhere.
      if (!signal.aborted && !(err instanceof AwayError)) log.warn({ err }, 'the two stores could not be held against each other')
      return SOON
    }
    return EVERY
  }
}
