import type { AbortOptions } from '../storage/object-store.ts'
import { Rounds } from '../storage/rounds.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Background } from './storage.ts'

/** Milliseconds between two looks. */
const INTERVAL = 3_600_000

/** Removes what crashes left, and looks at what is where, at the start and once an hour. */
export class Tidier implements Background {
  readonly #tidy: (options: AbortOptions) => Promise<number>
  readonly #log: Logger
  readonly #rounds = new Rounds((signal) => this.#round(signal))

  /** @param tidy tells how much it removed */
  constructor(tidy: (options: AbortOptions) => Promise<number>, log: Logger) {
    this.#tidy = tidy
    this.#log = log
  }

  start(): void {
    this.#rounds.start()
  }

  stop(): Promise<void> {
    return this.#rounds.stop()
  }

  async #round(signal: AbortSignal): Promise<number> {
    try {
      const removed = await this.#tidy({ signal })
      if (removed > 0) this.#log.info({ removed }, 'removed what was left over at the IPFS nodes')
    } catch (err) {
      if (!signal.aborted) this.#log.warn({ err }, 'could not tidy up at the IPFS nodes')
    }
    return INTERVAL
  }
}
