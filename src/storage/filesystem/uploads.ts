import { stat, type FileHandle } from 'node:fs/promises'
import { formatDigest, sameDigest, type Digest } from '../../oci/digest.ts'
import { abortable } from '../abortable.ts'
import { DigestMismatchError, OffsetMismatchError, UploadUnknownError } from '../errors.ts'
import type { FileLock } from '../file-lock.ts'
import type { FileStreams } from '../files/file-streams.ts'
import { SMALL_FILE, type HashPool } from '../files/hash-pool.ts'
import { UploadWriter } from '../files/upload-writer.ts'
import { indexAfter } from '../name-order.ts'
import type { AbortOptions, AppendOptions, ByteRange, ListOptions, UploadStat, UploadStore } from '../object-store.ts'
import { type Disk, onDisk, openFile, unlessThere } from './disk.ts'
import type { Session, Sessions } from './sessions.ts'

/** An upload whose bytes have the digest and are durable, held until its lock is closed. */
export interface CheckedUpload {
  readonly session: Session
  readonly lock: FileLock
  /** sha2-256 of its chunks, where they were hashed along. */
  readonly chunks: Uint8Array | undefined
}

/** What this process has found out about the bytes of an upload. */
interface Known {
  readonly size: number
  readonly digest: string
  readonly chunks: Uint8Array | undefined
}

export interface FilesystemUploadsParts {
  readonly disk: Disk
  readonly sessions: Sessions
  readonly streams: FileStreams
  readonly hashes: HashPool
  /** Finishes the commit that was cut off with this upload in it, if there is one. */
  readonly finish: (id: string) => Promise<void>
}

/** Verified uploads that are remembered until they are committed. */
const REMEMBERED = 2000
/** Under which the hash pool follows files: who has written otherwise in between has left another size. */
const HOLDER = 'filesystem'

/** Uploads as files. An upload's size is its file's: bytes are only ever added at its end, in their order. */
export class FilesystemUploads implements UploadStore {
  readonly #parts: FilesystemUploadsParts
  readonly #known = new Map<string, Known>()

  constructor(parts: FilesystemUploadsParts) {
    this.#parts = parts
  }

  async create(id: string, repository: string, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    await onDisk(`upload ${id}`, () => this.#parts.sessions.create(id, repository))
  }

  async stat(id: string, options: AbortOptions = {}): Promise<UploadStat | undefined> {
    options.signal?.throwIfAborted()
    return onDisk(`upload ${id}`, async () => {
      const session = await this.#parts.sessions.find(id)
      const found = session && (await stat(session.data).catch(unlessThere))
      return session && found && { id, repository: session.repository, size: found.size, modifiedAt: found.mtimeMs }
    })
  }

  async append(id: string, offset: number, source: AsyncIterable<Uint8Array>, options: AppendOptions = {}): Promise<number> {
    options.signal?.throwIfAborted()
    return this.#holding(id, async (session) => {
      const handle = await this.#open(session)
      let writer: UploadWriter | undefined
      try {
        const { size } = await onDisk(session.data, () => handle.stat())
        if (offset !== size) throw new OffsetMismatchError(id, size, offset)
        const started = this.#writer(session, handle, size, options)
        writer = started.writer
        return await drain(source, started, options.signal)
      } finally {
        await (writer ?? handle).close()
      }
    })
  }

  async *read(id: string, options: ByteRange & AbortOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    options.signal?.throwIfAborted()
    const handle = await onDisk(`upload ${id}`, async () => {
      const session = await this.#parts.sessions.find(id)
      return session && (await openFile(session.data))
    })
    if (handle === undefined) throw new UploadUnknownError(id)
    yield* this.#parts.streams.read(handle, options)
  }

  async verify(id: string, digest: Digest, options: AbortOptions = {}): Promise<void> {
    const { lock } = await this.check(id, digest, options)
    lock.close()
  }

  async remove(id: string, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    try {
      await this.#holding(id, (session) => this.drop(session))
    } catch (error) {
      if (!(error instanceof UploadUnknownError)) throw error
    }
  }

  async list(options: ListOptions = {}): Promise<UploadStat[]> {
    options.signal?.throwIfAborted()
    const { after, limit = 1000 } = options
    const ids = await onDisk('the uploads', () => this.#parts.sessions.ids())
    const page: UploadStat[] = []
    for (const id of ids.slice(after === undefined ? 0 : indexAfter(ids, after))) {
      if (page.length >= limit) break
      const found = await this.stat(id, options)
      if (found !== undefined) page.push(found)
    }
    return page
  }

  /** Takes the upload and checks its bytes; the caller closes the lock. @throws as `verify` */
  async check(id: string, digest: Digest, options: AbortOptions = {}): Promise<CheckedUpload> {
    options.signal?.throwIfAborted()
    const { session, lock } = await this.#take(id)
    try {
      const size = await this.#settle(session)
      const known = this.#known.get(id)
      if (known?.size === size && known.digest === formatDigest(digest)) return { session, lock, chunks: known.chunks }
      const chunks = await this.#hash(session, size, digest, options.signal)
      options.signal?.throwIfAborted()
      this.#remember(id, { size, digest: formatDigest(digest), chunks })
      return { session, lock, chunks }
    } catch (error) {
      lock.close()
      throw error
    }
  }

  /** Forgets an upload that is held: its bytes have become an object, or go. */
  async drop(session: Session): Promise<void> {
    this.#parts.hashes.forget(session.data)
    this.#known.delete(session.id)
    await onDisk(`upload ${session.id}`, () => this.#parts.sessions.remove(session))
  }

  async #holding<T>(id: string, work: (session: Session) => Promise<T>): Promise<T> {
    const { session, lock } = await this.#take(id)
    try {
      return await work(session)
    } finally {
      lock.close()
    }
  }

  /** What a commit that was cut off has noted is its own until it is finished: it must not grow or go. */
  async #take(id: string): Promise<{ readonly session: Session; readonly lock: FileLock }> {
    const session = await this.#find(id)
    const lock = await this.#parts.sessions.take(session)
    try {
      await onDisk(`upload ${id}`, () => this.#parts.finish(id))
      return { session, lock }
    } catch (error) {
      lock.close()
      throw error
    }
  }

  async #find(id: string): Promise<Session> {
    const session = await onDisk(`upload ${id}`, () => this.#parts.sessions.find(id))
    if (session === undefined) throw new UploadUnknownError(id)
    return session
  }

  async #open(session: Session): Promise<FileHandle> {
    const handle = await onDisk(session.data, () => this.#parts.disk.open(session.data, 'r+').catch(unlessThere))
    if (handle === undefined) throw new UploadUnknownError(session.id)
    return handle
  }

  /** Makes durable what a process that died may have left; gives the size. */
  async #settle(session: Session): Promise<number> {
    const handle = await this.#open(session)
    try {
      return await onDisk(session.data, async () => {
        await handle.datasync()
        return (await handle.stat()).size
      })
    } finally {
      await handle.close()
    }
  }

  async #hash(session: Session, size: number, digest: Digest, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    const { hashes } = this.#parts
    hashes.resume(session.data, size, HOLDER, HOLDER)
    const { hex = '', chunks } = await hashes.digest(session.data, size, digest.algorithm, signal)
    const actual: Digest = { algorithm: digest.algorithm, hex }
    if (!sameDigest(actual, digest)) throw new DigestMismatchError(digest, actual)
    return chunks
  }

  #remember(id: string, known: Known): void {
    this.#known.set(id, known)
    const [oldest] = this.#known.keys()
    if (this.#known.size > REMEMBERED && oldest !== undefined) this.#known.delete(oldest)
  }

  #writer({ data }: Session, handle: FileHandle, size: number, options: AppendOptions): Writing {
    const { hashes, streams } = this.#parts
    hashes.resume(data, size, HOLDER, HOLDER)
    let first = size <= SMALL_FILE ? { chunks: options.chunkHashes ?? true } : undefined
    let durable = size
    const writer = new UploadWriter({
      streams,
      file: data,
      handle,
      size,
      before: () => {},
      // It has been since the upload was created.
      syncName: async () => {},
      written: (written) => {
        if (written > SMALL_FILE) {
          hashes.follow(data, written, HOLDER, first)
          first = undefined
        }
        options.onProgress?.(written)
      },
      synced: async (synced) => {
        durable = synced
      },
    })
    return { writer, shorten: () => handle.truncate(durable) }
  }
}

interface Writing {
  readonly writer: UploadWriter
  /** Takes away what could not be made durable. */
  readonly shorten: () => Promise<void>
}

/** What has come is kept whatever goes wrong, so a failure of the source waits until it is durable. */
async function drain(source: AsyncIterable<Uint8Array>, writing: Writing, signal: AbortSignal | undefined): Promise<number> {
  try {
    for await (const chunk of abortable(source, signal)) {
      const full = writing.writer.add(chunk)
      if (full !== undefined) await full
    }
  } catch (error) {
    await end(writing).catch(() => {})
    throw error
  }
  return end(writing)
}

async function end({ writer, shorten }: Writing): Promise<number> {
  try {
    return await writer.end()
  } catch (error) {
    await shorten().catch(() => {})
    throw error
  }
}
