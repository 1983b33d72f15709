import type {
  AbortOptions, AppendOptions, Batch, ByteRange, ChunkHashes, ListOptions, ObjectStat, ObjectStore, ReadOptions, UploadStat, UploadStore,
} from './object-store.ts'
import type { Digest } from '../oci/digest.ts'

type Store = ObjectStore & ChunkHashes

/** A store that need not be there yet: it is opened when it is wanted, and when that fails, again by who wants it next. */
export class LateStore implements ObjectStore, ChunkHashes {
  readonly uploads: UploadStore
  readonly #open: () => Promise<Store>
  #opened: Promise<Store> | undefined

  constructor(open: () => Promise<Store>) {
    this.#open = open
    this.uploads = new LateUploads(() => this.#store())
  }

  /** Opens it now. @throws what opening it throws */
  async open(): Promise<void> {
    await this.#store()
  }

  async stat(path: string, options?: AbortOptions): Promise<ObjectStat | undefined> {
    return (await this.#store()).stat(path, options)
  }

  async get(path: string, options?: AbortOptions): Promise<Uint8Array | undefined> {
    return (await this.#store()).get(path, options)
  }

  async *read(path: string, options?: ReadOptions): AsyncGenerator<Uint8Array, void, undefined> {
    yield* (await this.#store()).read(path, options)
  }

  async list(directory: string, options?: ListOptions): Promise<string[]> {
    return (await this.#store()).list(directory, options)
  }

  async commit(batch: Batch, options?: AbortOptions): Promise<void> {
    return (await this.#store()).commit(batch, options)
  }

  async chunkHashes(path: string, options?: AbortOptions): Promise<Uint8Array> {
    return (await this.#store()).chunkHashes(path, options)
  }

  #store(): Promise<Store> {
    return (this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined
      throw error
    }))
  }
}

class LateUploads implements UploadStore {
  readonly #store: () => Promise<Store>

  constructor(store: () => Promise<Store>) {
    this.#store = store
  }

  async create(id: string, repository: string, options?: AbortOptions): Promise<void> {
    return (await this.#store()).uploads.create(id, repository, options)
  }

  async stat(id: string, options?: AbortOptions): Promise<UploadStat | undefined> {
    return (await this.#store()).uploads.stat(id, options)
  }

  async append(id: string, offset: number, source: AsyncIterable<Uint8Array>, options?: AppendOptions): Promise<number> {
    return (await this.#store()).uploads.append(id, offset, source, options)
  }

  async *read(id: string, options?: ByteRange & AbortOptions): AsyncGenerator<Uint8Array, void, undefined> {
    yield* (await this.#store()).uploads.read(id, options)
  }

  async verify(id: string, digest: Digest, options?: AbortOptions): Promise<void> {
    return (await this.#store()).uploads.verify(id, digest, options)
  }

  async remove(id: string, options?: AbortOptions): Promise<void> {
    return (await this.#store()).uploads.remove(id, options)
  }

  async list(options?: ListOptions): Promise<UploadStat[]> {
    return (await this.#store()).uploads.list(options)
  }
}
