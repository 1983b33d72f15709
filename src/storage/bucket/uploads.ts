import { digestOf, sameDigest, type Digest } from '../../oci/digest.ts'
import { abortable } from '../abortable.ts'
import { DigestMismatchError, OffsetMismatchError, StorageFailedError, UploadUnknownError } from '../errors.ts'
import { indexAfter, sortedNames } from '../name-order.ts'
import type { AbortOptions, AppendOptions, ByteRange, ListOptions, UploadStat, UploadStore } from '../object-store.ts'
import { inParallel } from '../parallel.ts'
import type { Bucket } from './bucket.ts'
import { hashAll } from './hashing.ts'
import { keys } from './keys.ts'
import type { PiecePool } from './piece-pool.ts'
import { Sessions } from './sessions.ts'
import { deletePaths } from './steps.ts'
import type { Hashes, StreamHashes } from './stream-hashes.ts'
import type { TakenSession } from './taken-session.ts'
import { UploadHash } from './upload-hash.ts'
import { readUpload } from './upload-reader.ts'
import { sizeOf, type UploadContent } from './upload-record.ts'
import { UploadWriter } from './upload-writer.ts'

/** Uploads whose hashes are kept, and those whose objects are remembered. */
const REMEMBERED = 64
const REMEMBERED_OBJECTS = 1000
/** Sessions that are looked at at a time. */
const AT_ONCE = 32

/** An upload whose bytes have the digest, held until it is given back or gone. */
export interface CheckedUpload {
  readonly session: TakenSession
  readonly chunks: Uint8Array | undefined
}

export interface BucketUploadsParts {
  readonly bucket: Bucket
  readonly pool: PiecePool
  readonly hashes: StreamHashes
}

/** Uploads as objects: one that says what there is, and some with the bytes. Any process goes on with any of them. */
export class BucketUploads implements UploadStore {
  readonly #parts: BucketUploadsParts
  readonly #sessions: Sessions
  readonly #writers = new Map<string, UploadWriter>()
  /** Of uploads all of whose bytes came by here, and the state in which this process left them. */
  readonly #hashed = new Map<string, { readonly hash: UploadHash; readonly state: string }>()
  readonly #objects = new Map<string, string>()

  constructor(parts: BucketUploadsParts) {
    this.#parts = parts
    this.#sessions = new Sessions(parts.bucket)
  }

  async create(id: string, repository: string, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    await this.#sessions.create(id, repository, options)
  }

  async stat(id: string, options: AbortOptions = {}): Promise<UploadStat | undefined> {
    options.signal?.throwIfAborted()
    const record = await this.#sessions.find(id, options)
    return record && { id, repository: record.repository, size: sizeOf(record), modifiedAt: record.modifiedAt }
  }

  async append(id: string, offset: number, source: AsyncIterable<Uint8Array>, options: AppendOptions = {}): Promise<number> {
    options.signal?.throwIfAborted()
    const session = await this.#sessions.take(id, options)
    let content: UploadContent = session.record
    let hash: UploadHash | undefined
    try {
      const size = sizeOf(session.record)
      if (offset !== size) throw new OffsetMismatchError(id, size, offset)
      hash = this.#hashOf(session, size, options.chunkHashes ?? true)
      const writer = new UploadWriter({ ...this.#parts, session, hash })
      this.#writers.set(id, writer)
      try {
        await drain(source, writer, options)
      } finally {
        ({ content } = writer)
        this.#writers.delete(id)
      }
    } finally {
      const state = await this.#sessions.give(session, content).catch((error: unknown) => {
        hash?.end()
        throw error
      })
      if (hash?.position === sizeOf(content)) this.#remember(id, hash, state)
      else hash?.end()
    }
    return sizeOf(content)
  }

  read(id: string, options: ByteRange & AbortOptions = {}): AsyncIterable<Uint8Array> {
    return readUpload(this.#parts.bucket, {
      writer: (which) => this.#writers.get(which),
      record: (which, looking) => this.#sessions.find(which, looking),
      object: (which) => this.#objects.get(which),
    }, id, options)
  }

  async verify(id: string, digest: Digest, options: AbortOptions = {}): Promise<void> {
    const { session } = await this.check(id, digest, options)
    await this.release(session)
  }

  async remove(id: string, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    try {
      const session = await this.#sessions.take(id, options)
      await this.drop(session, { thoroughly: true })
    } catch (error) {
      if (!(error instanceof UploadUnknownError)) throw error
    }
  }

  async list({ after, limit = 1000, signal }: ListOptions = {}): Promise<UploadStat[]> {
    signal?.throwIfAborted()
    const found: UploadStat[] = []
    for (let last = after; found.length < limit; ) {
      const ids = await this.#ids(last, limit, signal)
      const stats = await inParallel(ids, AT_ONCE, (id) => this.stat(id, { signal }))
      found.push(...stats.filter((stat) => stat !== undefined))
      last = ids.at(-1)
      if (last === undefined) break
    }
    return found.slice(0, limit)
  }

  /** Takes the upload and checks its bytes; the caller gives the session back. @throws as `verify` */
  async check(id: string, digest: Digest, options: AbortOptions = {}): Promise<CheckedUpload> {
    options.signal?.throwIfAborted()
    const session = await this.#sessions.take(id, options)
    try {
      const { hex = '', chunks } = await this.#hashesOf(session, digest, options)
      const actual: Digest = { algorithm: digest.algorithm, hex }
      if (!sameDigest(actual, digest)) throw new DigestMismatchError(digest, actual)
      options.signal?.throwIfAborted()
      return { session, chunks }
    } catch (error) {
      await this.release(session)
      throw error
    }
  }

  /** Gives it back as it was. */
  async release(session: TakenSession): Promise<void> {
    const { id, foundAs } = session
    try {
      const state = await this.#sessions.give(session)
      const hashed = this.#hashed.get(id)
      if (hashed?.state === foundAs) this.#hashed.set(id, { ...hashed, state })
    } catch (error) {
      // Nothing in it has changed, and what is not given back runs out.
      if (!(error instanceof StorageFailedError)) throw error
    }
  }

  /** Forgets an upload that was taken, and its bytes; `thoroughly`: also what a process that died may have left of it. */
  async drop(session: TakenSession, { thoroughly }: { readonly thoroughly: boolean }): Promise<void> {
    const { id, record } = session
    const { bucket } = this.#parts
    await session.drop()
    try {
      const names = [...record.pieces.map(({ name }) => name), ...(record.stale ?? [])]
      await deletePaths(bucket, [keys.session(id), ...names.map((name) => keys.piece(id, name))], {})
      if (!thoroughly && record.dirty !== true) return
      const { objects } = await bucket.page(keys.upload(id))
      await deletePaths(bucket, objects.map(({ path }) => path), {})
    } finally {
      this.#hashed.get(id)?.hash.end()
      this.#hashed.delete(id)
      this.#sessions.forget(session)
    }
  }

  /** Who reads the upload goes on with the object. */
  become({ id }: TakenSession, object: string): void {
    this.#objects.set(id, object)
    const [oldest] = this.#objects.keys()
    if (this.#objects.size > REMEMBERED_OBJECTS && oldest !== undefined) this.#objects.delete(oldest)
  }

  async #ids(after: string | undefined, limit: number, signal: AbortSignal | undefined): Promise<string[]> {
    const from = after === undefined ? undefined : `${keys.upload(after).slice(0, -1)}0`
    const { prefixes } = await this.#parts.bucket.page(keys.uploads, { delimiter: '/', after: from, limit, signal })
    const ids = sortedNames(prefixes.map((prefix) => decodeURIComponent(prefix.slice(keys.uploads.length, -1))))
    return after === undefined ? ids : ids.slice(indexAfter(ids, after))
  }

  async #hashesOf({ id, record, foundAs }: TakenSession, digest: Digest, { signal }: AbortOptions): Promise<Hashes> {
    const { hashes, pool } = this.#parts
    const size = sizeOf(record)
    if (size === 0) return { ...digestOf(new Uint8Array(), digest.algorithm), chunks: new Uint8Array() }
    const known = this.#hashed.get(id)
    const along = known?.state === foundAs && known.hash.position === size ? await known.hash.digest() : undefined
    if (along !== undefined && digest.algorithm === 'sha256') return along
    // Bytes have come that did not come by here, or another digest is wanted than was thought.
    const source = readUpload(this.#parts.bucket, { writer: () => undefined, record: async () => record, object: () => undefined }, id, { signal })
    const read = await hashAll(source, hashes, pool, digest.algorithm, along?.chunks === undefined)
    if (read.size !== size) throw new StorageFailedError(`upload ${id} has ${read.size} bytes in the bucket instead of ${size}`)
    return { hex: read.hex, chunks: read.chunks ?? along?.chunks }
  }

  #hashOf({ id, foundAs }: TakenSession, size: number, chunks: boolean): UploadHash | undefined {
    const known = this.#hashed.get(id)
    this.#hashed.delete(id)
    if (known !== undefined && known.state === foundAs && known.hash.position === size) return known.hash
    known?.hash.end()
    return size === 0 ? new UploadHash(this.#parts.hashes, chunks) : undefined
  }

  #remember(id: string, hash: UploadHash, state: string): void {
    this.#hashed.set(id, { hash, state })
    const [oldest] = this.#hashed
    if (this.#hashed.size <= REMEMBERED || oldest === undefined) return
    oldest[1].hash.end()
    this.#hashed.delete(oldest[0])
  }
}

/** What has come is kept whatever goes wrong, so a failure of the source waits until it is durable. */
async function drain(source: AsyncIterable<Uint8Array>, writer: UploadWriter, { signal, onProgress }: AppendOptions): Promise<void> {
  try {
    for await (const chunk of abortable(source, signal)) {
      const full = writer.add(chunk)
      if (full !== undefined) await full
      onProgress?.(writer.size)
    }
  } catch (error) {
    await writer.end().catch(() => {})
    throw error
  }
  await writer.end()
}

