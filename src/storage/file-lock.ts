import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

/** https://sqlite.org/rescode.html: SQLITE_BUSY */
const BUSY = 5

/**
 * A lock that any process may hold, which the system drops with its process, of whatever that dies: SQLite's on a
 * database in which nothing is ever written. Nobody else may open the file: closing it would end the lock.
 */
export class FileLock {
  readonly #path: string
  readonly #database: DatabaseSync
  /** Undefined where it is not certain which file was opened. */
  readonly #file: string | undefined

  /** @throws Error when the file can't be opened or made */
  constructor(path: string) {
    this.#path = path
    const before = fileAt(path)
    this.#database = new DatabaseSync(path, { timeout: 0 })
    // It may have been replaced right after it was opened.
    this.#file = fileAt(path) === before ? before : undefined
  }

  /**
   * Whether it is for certain a lock on the file at its path: one on a file that was removed keeps nobody out. Of a file
   * that was made by opening it, only who opens it again can be certain.
   */
  isInPlace(): boolean {
    return this.#file !== undefined && fileAt(this.#path) === this.#file
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

/** Which file it is: no other has the same as long as it is open. */
function fileAt(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found && `${found.dev} ${found.ino}`
}
