import type { Logger } from '../../telemetry/logger.ts'
import type { AbortOptions } from '../object-store.ts'
import { Rounds } from '../rounds.ts'
import { AwayError } from './away.ts'

/** Between two payments, where nothing is owed and where something is, in milliseconds. */
const EVERY = 10_000
const SOON = 2000
/** From one look for what was lost to the next, and after one that failed: it goes through all names of both. */
const HEAL_EVERY = 60 * 60 * 1000
const HEAL_AGAIN = 60_000

export interface TierRoundsParts {
  readonly look: () => Promise<void>
  readonly isAway: () => boolean
  /** Whether nothing is owed any more. */
  readonly pay: (options: AbortOptions) => Promise<boolean>
  readonly heal: (options: AbortOptions) => Promise<number>
  readonly log: Logger
}

/** What one process does for all, again and again. What is owed is paid while what was lost is looked for. */
export class TierRounds {
  readonly #parts: TierRoundsParts
  readonly #payments = new Rounds((signal) => this.#pay(signal))
  readonly #surveys = new Rounds((signal) => this.#heal(signal))

  constructor(parts: TierRoundsParts) {
    this.#parts = parts
  }

  start(): void {
    this.#payments.start()
    this.#surveys.start()
  }

  async stop(): Promise<void> {
    await Promise.all([this.#payments.stop(), this.#surveys.stop()])
  }

  async #pay(signal: AbortSignal): Promise<number> {
    const { pay } = this.#parts
    return this.#unlessAway(signal, SOON, async () => ((await pay({ signal })) ? EVERY : SOON))
  }

  async #heal(signal: AbortSignal): Promise<number> {
    const { heal, log } = this.#parts
    return this.#unlessAway(signal, HEAL_AGAIN, async () => {
      const count = await heal({ signal })
      if (count > 0) log.info({ count }, 'what one of two stores had lost was brought back')
      return HEAL_EVERY
    })
  }

  /** @param again milliseconds until the next, where `work` fails */
  async #unlessAway(signal: AbortSignal, again: number, work: () => Promise<number>): Promise<number> {
    const { look, isAway, log } = this.#parts
    try {
      await look()
      return isAway() ? SOON : await work()
    } catch (err) {
      // The next one goes on; of the copy's absence is told elsewhere.
      if (!signal.aborted && !(err instanceof AwayError)) log.warn({ err }, 'the two stores could not be held against each other')
      return again
    }
  }
}
