import type { BlobFiles } from './blob-files.ts'
import type { Database } from './database.ts'

/** Files unlinked between two looks at the database. */
const PAGE = 200

/** Unlinks, in the background, the files that the database has doomed. What a crash leaves, the next open takes up. */
export class Sweeper {
  readonly #database: Database
  readonly #files: BlobFiles
  #running: Promise<void> | undefined
  #closed = false

  constructor(database: Database, files: BlobFiles) {
    this.#database = database
    this.#files = files
  }

  /** Cheap when there is nothing to do. */
  start(): void {
    if (this.#closed || this.#running !== undefined) return
    this.#running = this.#sweep()
      // The rows are still there, so the next sweep tries again.
      .catch(() => {})
      .finally(() => {
        this.#running = undefined
      })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #sweep(): Promise<void> {
    for (;;) {
      const files = this.#database.all<{ file: string }>('SELECT file FROM doomed LIMIT ?', PAGE).map(({ file }) => file)
      if (files.length === 0 || this.#closed) return
      await this.#files.unlink(files)
      await this.#database.write(files.map((file) => ({ sql: 'DELETE FROM doomed WHERE file = ?', params: [file] })), { durable: false, freeing: true })
    }
  }
}
