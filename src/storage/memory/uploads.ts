import { digestOf, sameDigest, type Digest } from '../../oci/digest.ts'
import { abortable } from '../abortable.ts'
import { DigestMismatchError, OffsetMismatchError, StorageFailedError, UploadBusyError, UploadUnknownError } from '../errors.ts'
import type { AbortOptions, AppendOptions, ByteRange, ListOptions, UploadStat, UploadStore } from '../object-store.ts'
import { pageOf, slices } from './pages.ts'

interface Session {
  readonly repository: string
  buffer: Uint8Array
  size: number
  modifiedAt: number
  busy: boolean
}

export class MemoryUploads implements UploadStore {
  readonly #sessions = new Map<string, Session>()
  readonly #maxBytes: number

  /** @param maxBytes that an upload may have */
  constructor(maxBytes: number = Infinity) {
    this.#maxBytes = maxBytes
  }

  async create(id: string, repository: string, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    if (this.#sessions.has(id)) throw new Error(`upload ${id} exists`)
    this.#sessions.set(id, { repository, buffer: new Uint8Array(0), size: 0, modifiedAt: Date.now(), busy: false })
  }

  async stat(id: string, options: AbortOptions = {}): Promise<UploadStat | undefined> {
    options.signal?.throwIfAborted()
    const session = this.#sessions.get(id)
    return session === undefined ? undefined : statOf(id, session)
  }

  async append(id: string, offset: number, source: AsyncIterable<Uint8Array>, options: AppendOptions = {}): Promise<number> {
    options.signal?.throwIfAborted()
    const session = this.#idle(id)
    if (offset !== session.size) throw new OffsetMismatchError(id, session.size, offset)
    session.busy = true
    try {
      for await (const chunk of abortable(source, options.signal)) {
        if (session.size + chunk.byteLength > this.#maxBytes) throw new StorageFailedError(`more than ${this.#maxBytes} bytes`, { isFull: true })
        write(session, chunk)
        options.onProgress?.(session.size)
      }
      return session.size
    } finally {
      session.busy = false
      session.modifiedAt = Date.now()
    }
  }

  async *read(id: string, options: ByteRange & AbortOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    const session = this.#known(id)
    yield* slices(() => bytesOf(session), options)
  }

  async verify(id: string, digest: Digest, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    this.finish(id, digest)
  }

  async remove(id: string, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    if (this.#sessions.has(id)) this.#idle(id)
    this.#sessions.delete(id)
  }

  async list(options: ListOptions = {}): Promise<UploadStat[]> {
    options.signal?.throwIfAborted()
    return pageOf(this.#sessions.keys(), options).map((id) => statOf(id, this.#known(id)))
  }

  /** The bytes of a finished upload. @throws DigestMismatchError, UploadBusyError, UploadUnknownError */
  finish(id: string, digest: Digest): Uint8Array {
    const bytes = bytesOf(this.#idle(id))
    const actual = digestOf(bytes, digest.algorithm)
    if (!sameDigest(actual, digest)) throw new DigestMismatchError(digest, actual)
    return bytes
  }

  /** Forgets an upload that has become an object. */
  drop(id: string): void {
    this.#sessions.delete(id)
  }

  #known(id: string): Session {
    const session = this.#sessions.get(id)
    if (session === undefined) throw new UploadUnknownError(id)
    return session
  }

  #idle(id: string): Session {
    const session = this.#known(id)
    if (session.busy) throw new UploadBusyError(id)
    return session
  }
}

function statOf(id: string, { repository, size, modifiedAt }: Session): UploadStat {
  return { id, repository, size, modifiedAt }
}

function bytesOf({ buffer, size }: Session): Uint8Array {
  return buffer.subarray(0, size)
}

function write(session: Session, chunk: Uint8Array): void {
  const size = session.size + chunk.byteLength
  if (size > session.buffer.byteLength) {
    const grown = new Uint8Array(Math.max(size, session.buffer.byteLength * 2))
    grown.set(bytesOf(session))
    session.buffer = grown
  }
  session.buffer.set(chunk, session.size)
  session.size = size
}
