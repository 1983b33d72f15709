import type { AbortOptions, UploadStat } from '../storage/object-store.ts'
import { Rounds } from '../storage/rounds.ts'
import type { Logger } from '../telemetry/logger.ts'
import { isOnlyPullable } from './names.ts'

export interface HousekeepingParts {
  /** Drops the uploads that it is told of and that nobody is at work on; tells how many. */
  readonly removeUploads: (which: (upload: UploadStat) => boolean, options: AbortOptions) => Promise<number>
  readonly log: Logger
}

/** Distribution's `uploadpurging`. */
export interface UploadPurging {
  readonly enabled: boolean
  /** How long a client may leave an upload alone, in milliseconds. */
  readonly age: number
  /** Between two looks, in milliseconds. */
  readonly interval: number
  /** Only tells what it would drop. */
  readonly dryRun: boolean
}

/** What a timer can wait for at most, in milliseconds. */
const LONGEST_TIMEOUT = 2 ** 31 - 1

/**
 * Removes what was begun and will never be finished. One process of a data directory runs it, the one with the network:
 * when it starts, no clone is under way, and every upload that is one was cut short.
 */
export class Housekeeping {
  readonly #parts: HousekeepingParts
  readonly #purging: UploadPurging
  readonly #stopped = new AbortController()
  readonly #rounds = new Rounds((signal) => this.#round(signal))

  constructor(parts: HousekeepingParts, purging: UploadPurging) {
    this.#parts = parts
    this.#purging = purging
  }

  /** Resolves when the clones of a former run are gone; the rest goes on in the background. */
  async start(): Promise<void> {
    const { signal } = this.#stopped
    // Uploads of clones are named after the image's CID, a name that no client may push to.
    await this.#parts.removeUploads(({ repository }) => isOnlyPullable(repository), { signal })
    if (this.#purging.enabled && !signal.aborted) this.#rounds.start()
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#rounds.stop()
  }

  async #round(signal: AbortSignal): Promise<number> {
    try {
      await this.#purge(signal)
    } catch (err) {
      if (!signal.aborted) this.#parts.log.warn({ err }, 'could not look for abandoned uploads')
    }
    return Math.min(this.#purging.interval, LONGEST_TIMEOUT)
  }

  async #purge(signal: AbortSignal): Promise<void> {
    const { removeUploads, log } = this.#parts
    const { age, dryRun } = this.#purging
    const before = Date.now() - age
    const removed = await removeUploads(({ id, repository, modifiedAt, size }) => {
      if (modifiedAt >= before) return false
      if (dryRun) log.info({ id, repository, size, modifiedAt: new Date(modifiedAt).toISOString() }, 'an abandoned upload would be removed')
      return !dryRun
    }, { signal })
    if (removed > 0) log.info({ removed }, 'removed uploads that nobody had touched for long')
  }
}
