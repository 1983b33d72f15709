import { DatabaseSync } from 'node:sqlite'

/** https://sqlite.org/rescode.html: SQLITE_BUSY */
const BUSY = 5

/**
 * A lock that any process may hold, which the system drops with its process, of whatever that dies: SQLite's on a
 * database in which nothing is ever written. Nobody else may open the file: closing it would end the lock.
 */
export class FileLock {
  readonly #database: DatabaseSync

  /** @throws Error when the file can't be opened or made */
  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: 0 })
  }

  /** Takes the lock, if nobody has it. */
  tryTake(): boolean {
    try {
      // Else a journal would lie beside it for as long as the lock is held.
      this.#database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
      return true
    } catch (error) {
      if (error instanceof Error && 'errcode' in error && error.errcode === BUSY) return false
      throw error
    }
  }

  release(): void {
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
  }

  /** Releases it as well. Safe to repeat. */
  close(): void {
    if (this.#database.isOpen) this.#database.close()
  }
}
