import type { FinishedUpload } from '../../../storage/object-store.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import type { KuboNodes } from '../nodes/nodes.ts'
import type { SendingUploads } from '../uploads/sent-blob.ts'
import { KuboExecution } from './execution.ts'
import type { KuboJournal, Noted } from './journal.ts'
import type { Step } from './step.ts'

export interface CompletionParts {
  readonly nodes: KuboNodes
  readonly journal: KuboJournal
  readonly uploads: SendingUploads
  readonly log: Logger
}

/** Milliseconds after which what could not be finished, and concerns nobody who is here, is tried again. */
const RETRY = 5000

/** Brings what has been noted to its end. All of it with the lock. */
export class Completion {
  readonly #parts: CompletionParts
  /** When each was tried last that could not be finished. */
  readonly #tried = new Map<number, number>()

  constructor(parts: CompletionParts) {
    this.#parts = parts
  }

  /**
   * What was cut off. What needs a node that is not there waits for it, and holds up nobody whom it does not concern.
   *
   * @param paths what the caller is about to look at or to change
   * @throws StorageFailedError where something that concerns one of them can't be finished now
   */
  async finish(paths: readonly string[]): Promise<void> {
    const { journal, log } = this.#parts
    const pending = journal.pending()
    if (pending.length === 0) this.#tried.clear()
    for (const noted of pending) {
      const concerned = paths.some((path) => noted.concerns(path))
      if (!concerned && performance.now() - (this.#tried.get(noted.id) ?? -Infinity) < RETRY) continue
      try {
        await this.#again(noted)
        this.#tried.delete(noted.id)
      } catch (error) {
        this.#tried.set(noted.id, performance.now())
        if (concerned) throw error
        log.warn({ err: error, paths: noted.changes.paths.slice(0, 10) }, 'a commit that was cut off can not be finished yet: what it concerns is not served until then')
      }
    }
  }

  /** @param steps what `execution` has found that is to be done. @throws StorageFailedError */
  async end(noted: Noted, execution: KuboExecution, steps: readonly Step[]): Promise<void> {
    const { journal, uploads } = this.#parts
    await execution.run(steps)
    await journal.end(noted, (upload) => uploads.gone(upload))
    for (const { id } of noted.uploads) void uploads.tidy(id)
  }

  async #again(noted: Noted): Promise<void> {
    const { nodes, journal, log } = this.#parts
    for (const upload of noted.uploads) await this.#sendAgain(upload)
    const execution = new KuboExecution(nodes, noted.changes, { again: true })
    const steps = await execution.look()
    const lost = await execution.lost(steps)
    if (lost.length === 0) return this.end(noted, execution, steps)
    // Nobody was told that it has happened, and blobs come first: nothing of it is to be seen.
    await execution.release()
    await journal.drop(noted)
    log.error({ lost }, 'a commit that was cut off is given up: its blobs are neither at their nodes any more nor here; they have to be pushed again')
  }

  /** Where nothing held a blob any more, the node may have lost it. */
  async #sendAgain(upload: FinishedUpload): Promise<void> {
    const { uploads } = this.#parts
    try {
      if ((await uploads.stat(upload.id)) === undefined) return
      const sent = await uploads.finish(upload)
      await sent.release()
    } catch {
      // It is there already, or can't be put into its place: that is told then.
    }
  }
}
