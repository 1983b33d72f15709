import { setTimeout as sleep } from 'node:timers/promises'
import { UploadBusyError } from '../storage/errors.ts'
import type { AbortOptions, ObjectStore } from '../storage/object-store.ts'
import type { Logger } from '../telemetry/logger.ts'
import { isOnlyPullable } from './names.ts'

export interface HousekeepingParts {
  readonly store: Pick<ObjectStore, 'uploads'>
  /** Drops uploads untouched for `age` milliseconds; tells how many. */
  readonly purgeUploads: (age: number, options: AbortOptions) => Promise<number>
  readonly log: Logger
}

const HOUR = 3_600_000
/** How long a client may leave an upload alone: Distribution's `uploadpurging.age`. */
const UPLOAD_AGE = 168 * HOUR
/** Distribution's `uploadpurging.interval`. */
const INTERVAL = 24 * HOUR

/**
 * Removes what was begun and will never be finished. One process of a data directory runs it, the one with the network:
 * when it starts, no clone is under way, and every upload that is one was cut short.
 */
export class Housekeeping {
  readonly #parts: HousekeepingParts
  readonly #stopped = new AbortController()
  #running: Promise<void> | undefined

  constructor(parts: HousekeepingParts) {
    this.#parts = parts
  }

  /** Resolves when the clones of a former run are gone; the rest goes on in the background. */
  async start(): Promise<void> {
    const { signal } = this.#stopped
    await removeClones(this.#parts.store, { signal })
    this.#running = this.#run(signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#running
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { purgeUploads, log } = this.#parts
    for (;;) {
      try {
        const purged = await purgeUploads(UPLOAD_AGE, { signal })
        if (purged > 0) log.info({ purged }, 'removed uploads that nobody had touched for a week')
      } catch (err) {
        signal.throwIfAborted()
        log.warn({ err }, 'could not look for abandoned uploads')
      }
      await sleep(INTERVAL, undefined, { signal, ref: false })
    }
  }
}

/** Uploads of clones are named after the image's CID, a name that no client may push to. */
async function removeClones({ uploads }: Pick<ObjectStore, 'uploads'>, { signal }: AbortOptions): Promise<void> {
  let after: string | undefined
  do {
    const page = await uploads.list({ after, signal })
    for (const { id, repository } of page) {
      if (!isOnlyPullable(repository)) continue
      await uploads.remove(id, { signal }).catch((error: unknown) => {
        if (!(error instanceof UploadBusyError)) throw error
      })
    }
    after = page.at(-1)?.id
  } while (after !== undefined)
}
