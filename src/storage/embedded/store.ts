import { givesRoom } from '../gives-room.ts'
import { hash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { ConflictError, ObjectUnknownError, StorageFailedError } from '../errors.ts'
import {
  CHUNK_SIZE, type AbortOptions, type Batch, type Change, type ChunkHashes, type Expectation, type ListOptions,
  type ObjectStat, type ObjectStore, type ReadOptions,
} from '../object-store.ts'
import { HashPool } from '../files/hash-pool.ts'
import { storing, syncDirectory } from '../files/medium.ts'
import { BlobFiles } from './blob-files.ts'
import { Database, DATABASE_FILE } from './database.ts'
import { CHILDREN, childrenOf, keyOf, keysBelow } from './keys.ts'
import { SCHEMA } from './schema.ts'
import type { Statement } from './statement.ts'
import { Sweeper } from './sweeper.ts'
import { EmbeddedUploads } from './uploads.ts'

interface ObjectRow {
  readonly size: number
  readonly file: string | null
  readonly data: Uint8Array | null
}

const ROW = 'SELECT size, file, data FROM objects WHERE path = ?'
/** Bytes of a small object that a reader gets at once. */
const SLICE = 1024 * 1024

export interface EmbeddedCommitOptions extends AbortOptions {
  /** Done in the same transaction, after everything else. */
  readonly also?: readonly Statement[] | undefined
  /** What gives room may have the room that is kept for that. @default what only deletes */
  readonly freeing?: boolean | undefined
}

interface Parts {
  readonly database: Database
  readonly files: BlobFiles
  readonly hashes: HashPool
  readonly sweeper: Sweeper
}

/**
 * The default store, in one directory: large objects are files that are written once and never renamed, everything
 * small is in one SQLite database, and so is which file is which object. What is atomic there is atomic here.
 */
export class EmbeddedStore implements ObjectStore, ChunkHashes {
  readonly uploads: EmbeddedUploads
  readonly database: Database
  readonly #files: BlobFiles
  readonly #hashes: HashPool
  readonly #sweeper: Sweeper

  private constructor({ database, files, hashes, sweeper }: Parts) {
    this.database = database
    this.#files = files
    this.#hashes = hashes
    this.#sweeper = sweeper
    this.uploads = new EmbeddedUploads({ database, files, hashes, sweep: () => sweeper.start() })
  }

  /** Opens the directory and makes it where there is none. Several processes may have it open. @throws StorageFailedError */
  static async open(directory: string): Promise<EmbeddedStore> {
    const root = resolve(directory)
    const blobs = join(root, 'blobs')
    await storing(root, async () => {
      const topmost = (await mkdir(blobs, { recursive: true, mode: 0o700 })) ?? `${blobs}/none`
      for (let made = blobs; made.startsWith(topmost); made = dirname(made)) await syncDirectory(dirname(made))
    })
    const database = await Database.open(join(root, DATABASE_FILE))
    try {
      await database.migrate('storage', SCHEMA)
      await storing(root, () => syncDirectory(root))
    } catch (error) {
      await database.close()
      throw error
    }
    const files = new BlobFiles(blobs)
    const sweeper = new Sweeper(database, files)
    sweeper.start()
    return new EmbeddedStore({ database, files, hashes: new HashPool(), sweeper })
  }

  /** Large blobs are about to come. */
  prepare(): void {
    this.#hashes.prepare()
  }

  /** Uploads and reads must have come to their end before. */
  async close(): Promise<void> {
    await this.#sweeper.close()
    await this.#hashes.close()
    await this.database.close()
  }

  stat(path: string, options: AbortOptions = {}): Promise<ObjectStat | undefined> {
    return this.database.gathered().then(() => {
      options.signal?.throwIfAborted()
      const row = this.database.get<ObjectStat>('SELECT size, modified_at AS modifiedAt FROM objects WHERE path = ?', keyOf(path))
      return row && { size: row.size, modifiedAt: row.modifiedAt }
    })
  }

  async get(path: string, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    await this.database.gathered()
    options.signal?.throwIfAborted()
    const row = this.database.get<ObjectRow>(ROW, keyOf(path))
    if (row === undefined) return undefined
    if (row.file === null) return row.data ?? new Uint8Array()
    const chunks: Uint8Array[] = []
    try {
      for await (const chunk of this.read(path, { ...options, prompt: true })) chunks.push(new Uint8Array(chunk))
    } catch (error) {
      if (error instanceof ObjectUnknownError) return undefined
      throw error
    }
    return Buffer.concat(chunks)
  }

  async *read(path: string, options: ReadOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    options.signal?.throwIfAborted()
    const key = keyOf(path)
    let missing: string | undefined
    for (;;) {
      const row = this.database.get<ObjectRow>(ROW, key)
      if (row === undefined) throw new ObjectUnknownError(path)
      const { start = 0, length = Infinity } = options
      const end = Math.min(row.size, start + length)
      if (row.file === null) {
        for (let position = start; position < end; position += SLICE) {
          options.signal?.throwIfAborted()
          yield (row.data ?? new Uint8Array()).subarray(position, Math.min(end, position + SLICE))
        }
        return
      }
      const handle = await this.#files.open(row.file)
      if (handle !== undefined) {
        yield* this.#files.streams.read(handle, { ...options, start, length: Math.max(0, end - start) })
        return
      }
      // Deleted between the row and the file: then the row is gone, or names another file.
      if (missing === row.file) throw new StorageFailedError(`the bytes of ${path} are missing`)
      missing = row.file
    }
  }

  async list(directory: string, options: ListOptions = {}): Promise<string[]> {
    options.signal?.throwIfAborted()
    return this.database.all<{ name: string }>(CHILDREN, ...childrenOf(directory, options.limit ?? 1000, options.after)).map(({ name }) => name)
  }

  async commit(batch: Batch, options: EmbeddedCommitOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    const changes = (batch.changes ?? []).flatMap(statementsOf)
    const expectations = (batch.expect ?? []).map(expectationOf)
    const finished = (batch.uploads ?? []).map((upload) => ({ ...upload, key: keyOf(upload.path) }))
    const settled = await Promise.allSettled(finished.map(({ id, digest }) => this.uploads.check(id, digest, options)))
    const checked = settled.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value)
    try {
      const failed = settled.find((outcome) => outcome.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      const uploads = finished.flatMap(({ id, key }, index) => {
        const upload = checked[index]
        return upload === undefined ? [] : this.uploads.finish(id, key, upload)
      })
      const { also = [], signal, freeing = givesRoom(batch) } = options
      await this.database.write([...expectations, ...uploads, ...changes, ...also], { signal, freeing })
      for (const upload of checked) this.uploads.forget(upload)
    } finally {
      await Promise.all(checked.map(({ lease }) => lease.release()))
    }
    this.#sweeper.start()
  }

  async chunkHashes(path: string, options: AbortOptions = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted()
    const key = keyOf(path)
    const row = this.database.get<ObjectRow & { chunks: Uint8Array | null }>('SELECT size, file, data, chunks FROM objects WHERE path = ?', key)
    if (row === undefined) throw new ObjectUnknownError(path)
    if (row.chunks !== null) return row.chunks
    if (row.file === null) return hashChunks(row.data ?? new Uint8Array())
    let chunks: Uint8Array
    try {
      chunks = await this.#hashes.chunks(this.#files.path(row.file), row.size, options.signal)
    } catch (error) {
      options.signal?.throwIfAborted()
      // Its file may have gone because the object did, or was put anew.
      if (this.database.get<ObjectRow>(ROW, key)?.file === row.file) throw error
      return this.chunkHashes(path, options)
    }
    await this.database.write([{ sql: 'UPDATE objects SET chunks = ? WHERE path = ? AND file = ?', params: [chunks, key, row.file] }], { durable: false })
    return chunks
  }
}

function statementsOf(change: Change): Statement[] {
  if ('put' in change) {
    const { put, data } = change
    return [{
      sql: `INSERT INTO objects (path, size, modified_at, data) VALUES (?, ?, ?, ?)
        ON CONFLICT (path) DO UPDATE SET size = excluded.size, modified_at = excluded.modified_at, file = NULL, chunks = NULL, data = excluded.data`,
      params: [keyOf(put), data.byteLength, Date.now(), data],
    }]
  }
  const { start, end } = keysBelow(change.delete)
  return [
    { sql: 'DELETE FROM objects WHERE path = ?', params: [keyOf(change.delete)] },
    { sql: 'DELETE FROM objects WHERE path >= ? AND path < ?', params: [start, end] },
  ]
}

function expectationOf(expectation: Expectation): Statement {
  if ('path' in expectation) {
    const { path, data } = expectation
    return {
      sql: 'SELECT data FROM objects WHERE path = ?', params: [keyOf(path)], expect: data === undefined ? [] : [data], otherwise: new ConflictError(path),
    }
  }
  const { directory, names } = expectation
  return { sql: CHILDREN, params: childrenOf(directory, names.length + 1), expect: names, otherwise: new ConflictError(directory) }
}

function hashChunks(data: Uint8Array): Uint8Array {
  const chunks = Array.from({ length: Math.ceil(data.byteLength / CHUNK_SIZE) }, (_, index) =>
    hash('sha256', data.subarray(index * CHUNK_SIZE, (index + 1) * CHUNK_SIZE), 'buffer'))
  return new Uint8Array(Buffer.concat(chunks))
}
