import { accessSync, constants, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { StorageFailedError } from '../errors.ts'
import { DATABASE_FILE } from './database.ts'
import type { SqlValue } from './statement.ts'

/** How long to wait for a process that holds a lock, in milliseconds. */
const BUSY_TIMEOUT = 30_000

/** The database of a data directory that is only looked at. */
export class DatabaseReader {
  readonly #database: DatabaseSync

  private constructor(database: DatabaseSync) {
    this.#database = database
  }

  /** Undefined where there is none. @throws StorageFailedError when there is one that can't be read */
  static open(directory: string): DatabaseReader | undefined {
    const file = join(resolve(directory), DATABASE_FILE)
    try {
      if (sizeOf(file) === undefined) return undefined
      // SQLite would only say that it can't
      accessSync(file, constants.R_OK)
      return new DatabaseReader(openDatabase(file))
    } catch (cause) {
      throw new StorageFailedError(`cannot read ${file}: ${(cause as Error).message}`, { cause })
    }
  }

  close(): void {
    this.#database.close()
  }

  /** Whether what keeps its rows in this table has ever run on the directory. @throws StorageFailedError */
  hasTable(name: string): boolean {
    return this.get('SELECT 1 FROM sqlite_schema WHERE type = \'table\' AND name = ?', name) !== undefined
  }

  get<Row extends object>(sql: string, ...params: SqlValue[]): Row | undefined {
    return this.all<Row>(sql, ...params)[0]
  }

  /** @throws StorageFailedError */
  all<Row extends object>(sql: string, ...params: SqlValue[]): Row[] {
    try {
      return this.#database.prepare(sql).all(...params) as Row[]
    } catch (cause) {
      throw new StorageFailedError(`the database could not be read: ${(cause as Error).message}`, { cause })
    }
  }
}

/**
 * Even to read, SQLite makes the files of a WAL where there are none. There are none where nobody runs, and then the
 * database can't change: `immutable`. A WAL in which nothing is left to read is as good as none.
 */
function openDatabase(file: string): DatabaseSync {
  const log = sizeOf(`${file}-wal`)
  if (log === undefined) return openUnchanging(file)
  try {
    const database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT })
    database.prepare('SELECT 1 FROM sqlite_schema').get()
    return database
  } catch (error) {
    if (log === 0) return openUnchanging(file)
    throw error
  }
}

function openUnchanging(file: string): DatabaseSync {
  const url = pathToFileURL(file)
  url.search = '?immutable=1'
  const database = new DatabaseSync(url, { readOnly: true })
  database.prepare('SELECT 1 FROM sqlite_schema').get()
  return database
}

/** In bytes; undefined where there is no such file. */
function sizeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size
}
