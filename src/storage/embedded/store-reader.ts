import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { StorageFailedError } from '../errors.ts'
import type { AbortOptions, ListOptions, ObjectReader, ObjectStat } from '../object-store.ts'
import { BlobFiles } from './blob-files.ts'
import { DatabaseReader } from './database-reader.ts'
import { CHILDREN, childrenOf, keyOf } from './keys.ts'

/**
 * An embedded store that is only looked at: nothing in its directory is made or changed, so that somebody else's may be
 * looked at, and one on a medium that can't be written.
 */
export class StoreReader implements ObjectReader {
  readonly #database: DatabaseReader
  readonly #files: BlobFiles

  private constructor(database: DatabaseReader, files: BlobFiles) {
    this.#database = database
    this.#files = files
  }

  /** Undefined where there is no store. @throws StorageFailedError when there is one that can't be read */
  static open(directory: string): StoreReader | undefined {
    const database = DatabaseReader.open(directory)
    return database && new StoreReader(database, new BlobFiles(join(resolve(directory), 'blobs')))
  }

  close(): void {
    this.#database.close()
  }

  async stat(path: string, options: AbortOptions = {}): Promise<ObjectStat | undefined> {
    options.signal?.throwIfAborted()
    const row = this.#database.get<ObjectStat>('SELECT size, modified_at AS modifiedAt FROM objects WHERE path = ?', keyOf(path))
    return row === undefined ? undefined : { ...row }
  }

  async get(path: string, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    options.signal?.throwIfAborted()
    const row = this.#database.get<{ file: string | null; data: Uint8Array | null }>('SELECT file, data FROM objects WHERE path = ?', keyOf(path))
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
    return this.#database.all<{ name: string }>(CHILDREN, ...childrenOf(directory, options.limit ?? 1000, options.after)).map(({ name }) => name)
  }
}
