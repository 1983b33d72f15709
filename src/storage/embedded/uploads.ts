import { digestOf, formatDigest, sameDigest, type Digest } from '../../oci/digest.ts'
import { abortable } from '../abortable.ts'
import { DigestMismatchError, OffsetMismatchError, StorageFailedError, UploadUnknownError } from '../errors.ts'
import type { AbortOptions, AppendOptions, ListOptions, ReadOptions, UploadStat, UploadStore } from '../object-store.ts'
import { SMALL_FILE, type HashPool } from '../files/hash-pool.ts'
import { storing } from '../files/medium.ts'
import { UploadWriter } from '../files/upload-writer.ts'
import type { BlobFiles } from './blob-files.ts'
import type { Database } from './database.ts'
import { Lease, isHeld } from './lease.ts'
import type { Statement } from './statement.ts'

interface UploadRow {
  readonly file: string
  readonly size: number
  readonly holder: string | null
  readonly until: number
  readonly digest: string | null
  readonly chunks: Uint8Array | null
}

export interface LocalAppendOptions extends AppendOptions {
  /** False where a power loss may take what was appended: then the upload is unknown. @default true */
  readonly durable?: boolean | undefined
  /**
   * Given the bytes as they are written, at their offset, in large pieces; they are good until the promise has settled,
   * which holds up who sends them. It never rejects.
   */
  readonly tee?: ((bytes: Uint8Array, offset: number) => Promise<void> | undefined) | undefined
}

/** An upload whose bytes have the digest, held until it is released. */
export interface CheckedUpload {
  readonly lease: Lease
  readonly file: string
  readonly path: string
  readonly chunks: Uint8Array | null
  readonly size: number
}

const ROW = 'SELECT file, size, holder, held_until AS until, digest, chunks FROM uploads WHERE id = ?'
const STAT = 'SELECT id, repository, size, modified_at AS modifiedAt FROM uploads'

export interface EmbeddedUploadsParts {
  readonly database: Database
  readonly files: BlobFiles
  readonly hashes: HashPool
  /** Called when files may have lost their last pointer. */
  readonly sweep: () => void
}

/** Uploads as rows of the database, and their bytes as the files that the objects will have. */
export class EmbeddedUploads implements UploadStore {
  readonly #database: Database
  readonly #files: BlobFiles
  readonly #hashes: HashPool
  readonly #sweep: () => void

  constructor({ database, files, hashes, sweep }: EmbeddedUploadsParts) {
    this.#database = database
    this.#files = files
    this.#hashes = hashes
    this.#sweep = sweep
  }

  async create(id: string, repository: string, options: AbortOptions = {}): Promise<void> {
    await this.#database.write([
      { sql: 'SELECT id FROM uploads WHERE id = ?', params: [id], expect: [], otherwise: new Error(`upload ${id} exists`) },
      {
        sql: 'INSERT INTO uploads (id, repository, file, size, modified_at, held_until) VALUES (?, ?, ?, 0, ?, 0)',
        params: [id, repository, this.#files.name(), Date.now()],
      },
    ], options)
  }

  async stat(id: string, options: AbortOptions = {}): Promise<UploadStat | undefined> {
    options.signal?.throwIfAborted()
    const row = this.#database.get<UploadStat>(`${STAT} WHERE id = ?`, id)
    return row === undefined ? undefined : { ...row }
  }

  async append(id: string, offset: number, source: AsyncIterable<Uint8Array>, options: LocalAppendOptions = {}): Promise<number> {
    options.signal?.throwIfAborted()
    const lease = await Lease.take(this.#database, id)
    try {
      const row = this.#row(id)
      if (offset !== row.size) throw new OffsetMismatchError(id, row.size, offset)
      const writer = await this.#writer(id, row, lease, options)
      try {
        await this.#drain(source, writer, options.signal)
        return await writer.end()
      } finally {
        await writer.close()
      }
    } finally {
      await lease.release()
    }
  }

  async *read(id: string, options: ReadOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    options.signal?.throwIfAborted()
    const row = this.#row(id)
    const { start = 0, length = Infinity } = options
    // While it is appended to, the file is the truth; otherwise what a crashed append left behind the row's size is not.
    const end = Math.min(start + length, isHeld(row) ? Infinity : row.size)
    if (start >= end) return
    const handle = await this.#files.open(row.file)
    if (handle !== undefined) yield* this.#files.streams.read(handle, { ...options, start, length: end - start })
    else if (this.#row(id).size > 0) throw new StorageFailedError(`the bytes of upload ${id} are missing`)
  }

  async verify(id: string, digest: Digest, options: AbortOptions = {}): Promise<void> {
    const { lease, chunks } = await this.check(id, digest, options)
    try {
      await this.#database.write([
        lease.check,
        { sql: 'UPDATE uploads SET digest = ?, chunks = ? WHERE id = ?', params: [formatDigest(digest), chunks, id] },
        lease.end,
      ], { durable: false })
    } finally {
      await lease.release()
    }
  }

  async remove(id: string, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    const row = this.#database.get<UploadRow>(ROW, id)
    if (row === undefined) return
    const lease = await Lease.take(this.#database, id, { freeing: true })
    try {
      await this.#database.write([lease.check, { sql: 'DELETE FROM uploads WHERE id = ?', params: [id] }], { freeing: true })
    } finally {
      await lease.release()
    }
    this.#hashes.forget(this.#files.path(row.file))
    this.#sweep()
  }

  async list(options: ListOptions = {}): Promise<UploadStat[]> {
    options.signal?.throwIfAborted()
    const { after = '', limit = 1000 } = options
    return this.#database.all<UploadStat>(`${STAT} WHERE id > ? ORDER BY id LIMIT ?`, after, limit).map((row) => ({ ...row }))
  }

  /** Takes the upload and checks its bytes; the caller gives the lease back. @throws as `verify` */
  async check(id: string, digest: Digest, options: AbortOptions = {}): Promise<CheckedUpload> {
    options.signal?.throwIfAborted()
    const lease = await Lease.take(this.#database, id)
    try {
      const row = this.#row(id)
      const path = this.#files.path(row.file)
      this.#hashes.resume(path, row.size, lease.previous, lease.holder)
      const known = row.digest === formatDigest(digest) ? row : await this.#hash(path, row.size, digest, options.signal)
      options.signal?.throwIfAborted()
      return { lease, path, file: row.file, chunks: known.chunks, size: row.size }
    } catch (error) {
      await lease.release()
      throw error
    }
  }

  /** The sha2-256 of every chunk of a checked upload, 32 bytes each; computed now where they were not along with its digest. */
  async chunkHashes({ path, size, chunks }: CheckedUpload, options: AbortOptions = {}): Promise<Uint8Array> {
    return chunks ?? (size === 0 ? new Uint8Array() : this.#hashes.chunks(path, size, options.signal))
  }

  /** Drops what is known about the bytes of an upload that has become an object. */
  forget({ path }: CheckedUpload): void {
    this.#hashes.forget(path)
  }

  /** What makes an upload go whose bytes have become an object elsewhere. Safe to repeat; then `swept`. */
  gone(id: string): Statement[] {
    return [{ sql: 'DELETE FROM uploads WHERE id = ?', params: [id] }]
  }

  /** Uploads have gone: so may their files. */
  swept(): void {
    this.#sweep()
  }

  /** The object that an upload becomes, unless there is one; and the upload is gone. */
  finish(id: string, key: Uint8Array, { lease, chunks }: CheckedUpload): Statement[] {
    return [
      lease.check,
      {
        sql: `INSERT INTO objects (path, size, modified_at, file, chunks)
          SELECT ?, size, ?, iif(size = 0, NULL, file), ? FROM uploads WHERE id = ? ON CONFLICT (path) DO NOTHING`,
        params: [key, Date.now(), chunks, id],
      },
      { sql: 'DELETE FROM uploads WHERE id = ?', params: [id] },
    ]
  }

  async #hash(path: string, size: number, digest: Digest, signal: AbortSignal | undefined): Promise<{ chunks: Uint8Array | null }> {
    const { hex, chunks } = size === 0 ? { ...digestOf(new Uint8Array(), digest.algorithm), chunks: null } : await this.#hashes.digest(path, size, digest.algorithm, signal)
    const actual: Digest = { algorithm: digest.algorithm, hex: hex ?? '' }
    if (!sameDigest(actual, digest)) throw new DigestMismatchError(digest, actual)
    return { chunks: chunks ?? null }
  }

  async #writer(id: string, row: UploadRow, lease: Lease, options: LocalAppendOptions): Promise<UploadWriter> {
    const { durable = true } = options
    const path = this.#files.path(row.file)
    const handle = await this.#files.create(row.file)
    try {
      const { size } = await storing(path, () => handle.stat())
      if (size < row.size) throw durable ? new StorageFailedError(`upload ${id} has lost bytes: ${size} of ${row.size} are left`) : new UploadUnknownError(id)
      if (size > row.size) await storing(path, () => handle.truncate(row.size))
    } catch (error) {
      await handle.close()
      throw error
    }
    this.#hashes.resume(path, row.size, lease.previous, lease.holder)
    let first = row.size <= SMALL_FILE ? { chunks: options.chunkHashes ?? true } : undefined
    return new UploadWriter({
      streams: this.#files.streams,
      file: row.file,
      handle,
      size: row.size,
      before: () => lease.assertHeld(),
      tee: options.tee,
      durable,
      syncName: () => this.#files.syncName(row.file),
      written: (size) => {
        if (size > SMALL_FILE) {
          this.#hashes.follow(path, size, lease.holder, first)
          first = undefined
        }
        options.onProgress?.(size)
      },
      synced: (size) => this.#database.write([
        lease.check,
        { sql: 'UPDATE uploads SET size = ?, modified_at = ?, digest = NULL, chunks = NULL WHERE id = ?', params: [size, Date.now(), id] },
      ], { durable }),
    })
  }

  /** What has come is kept whatever goes wrong, so a failure of the source waits until it is durable. */
  async #drain(source: AsyncIterable<Uint8Array>, writer: UploadWriter, signal: AbortSignal | undefined): Promise<void> {
    try {
      for await (const chunk of abortable(source, signal)) {
        const full = writer.add(chunk)
        if (full !== undefined) await full
      }
    } catch (error) {
      await writer.end().catch(() => {})
      throw error
    }
  }

  #row(id: string): UploadRow {
    const row = this.#database.get<UploadRow>(ROW, id)
    if (row === undefined) throw new UploadUnknownError(id)
    return row
  }
}
