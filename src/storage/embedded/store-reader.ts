import { accessSync, constants, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { StorageFailedError } from '../errors.ts'
import type { AbortOptions, ListOptions, ObjectReader, ObjectStat } from '../object-store.ts'
import { BlobFiles } from './blob-files.ts'
import { CHILDREN, childrenOf, keyOf } from './keys.ts'
import type { SqlValue } from './statement.ts'

/** How long to wait for a process that holds a lock, in milliseconds. */
const BUSY_TIMEOUT = 30_000

/**
 * An embedded store that is only looked at: nothing in its directory is made or changed, so that somebody else's may be
 * looked at, and one on a medium that can't be written.
 */
export class StoreReader implements ObjectReader {
  readonly #database: DatabaseSync
  readonly #files: BlobFiles

  private constructor(database: DatabaseSync, files: BlobFiles) {
    this.#database = database
    this.#files = files
  }

  /** Undefined where there is no store. @throws StorageFailedError when there is one that can't be read */
  static open(directory: string): StoreReader | undefined {
    const root = resolve(directory)
    const file = join(root, 'disco.db')
    try {
      if (sizeOf(file) === undefined) return undefined
      // SQLite would only say that it can't
      accessSync(file, constants.R_OK)
      return new StoreReader(openDatabase(file), new BlobFiles(join(root, 'blobs')))
    } catch (cause) {
      throw new StorageFailedError(`cannot read ${file}: ${(cause as Error).message}`, { cause })
    }
  }

  close(): void {
    this.#database.close()
  }

  async stat(path: string, options: AbortOptions = {}): Promise<ObjectStat | undefined> {
    options.signal?.throwIfAborted()
    const [row] = this.#rows<ObjectStat>('SELECT size, modified_at AS modifiedAt FROM objects WHERE path = ?', keyOf(path))
    return row === undefined ? undefined : { ...row }
  }

  async get(path: string, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    options.signal?.throwIfAborted()
    const [row] = this.#rows<{ file: string | null; data: Uint8Array | null }>('SELECT file, data FROM objects WHERE path = ?', keyOf(path))
    if (row === undefined) return undefined
    if (row.file === null) return row.data ?? new Uint8Array()
    const file = this.#files.path(row.file)
    try {
      return await readFile(file, options)
    } catch (cause) {
      options.signal?.throwIfAborted()
      throw new StorageFailedError(`cannot read ${file}: ${(cause as Error).message}`, { cause })
    }
  }

  async list(directory: string, options: ListOptions = {}): Promise<string[]> {
    options.signal?.throwIfAborted()
    return this.#rows<{ name: string }>(CHILDREN, ...childrenOf(directory, options.limit ?? 1000, options.after)).map(({ name }) => name)
  }

  #rows<Row extends object>(sql: string, ...params: SqlValue[]): Row[] {
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
