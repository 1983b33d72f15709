import type { StorageObserver } from '../telemetry/storage-observer.ts'
import type { AbortOptions, AppendOptions, Batch, ByteRange, ListOptions, ObjectStat, ObjectStore, ReadOptions, UploadStat, UploadStore } from './object-store.ts'
import type { Digest } from '../oci/digest.ts'

/** A store that is watched: what it is asked for, not the bytes that come of it. */
export class ObservedStore implements ObjectStore {
  readonly uploads: UploadStore
  readonly #store: ObjectStore
  readonly #observer: StorageObserver

  constructor(store: ObjectStore, observer: StorageObserver) {
    this.#store = store
    this.#observer = observer
    this.uploads = new ObservedUploads(store.uploads, observer)
  }

  stat(path: string, options?: AbortOptions): Promise<ObjectStat | undefined> {
    return this.#observer.during('Stat', () => this.#store.stat(path, options))
  }

  get(path: string, options?: AbortOptions): Promise<Uint8Array | undefined> {
    return this.#observer.during('GetContent', () => this.#store.get(path, options))
  }

  read(path: string, options?: ReadOptions): AsyncIterable<Uint8Array> {
    this.#observer.streaming('Read')
    return this.#store.read(path, options)
  }

  list(directory: string, options?: ListOptions): Promise<string[]> {
    return this.#observer.during('List', () => this.#store.list(directory, options))
  }

  commit(batch: Batch, options?: AbortOptions): Promise<void> {
    return this.#observer.during('Commit', () => this.#store.commit(batch, options))
  }
}

class ObservedUploads implements UploadStore {
  readonly #uploads: UploadStore
  readonly #observer: StorageObserver

  constructor(uploads: UploadStore, observer: StorageObserver) {
    this.#uploads = uploads
    this.#observer = observer
  }

  create(id: string, repository: string, options?: AbortOptions): Promise<void> {
    return this.#observer.during('StartUpload', () => this.#uploads.create(id, repository, options))
  }

  stat(id: string, options?: AbortOptions): Promise<UploadStat | undefined> {
    return this.#observer.during('StatUpload', () => this.#uploads.stat(id, options))
  }

  append(id: string, offset: number, source: AsyncIterable<Uint8Array>, options?: AppendOptions): Promise<number> {
    return this.#observer.during('Append', () => this.#uploads.append(id, offset, source, options))
  }

  read(id: string, options?: ByteRange & AbortOptions): AsyncIterable<Uint8Array> {
    this.#observer.streaming('ReadUpload')
    return this.#uploads.read(id, options)
  }

  verify(id: string, digest: Digest, options?: AbortOptions): Promise<void> {
    return this.#observer.during('Verify', () => this.#uploads.verify(id, digest, options))
  }

  remove(id: string, options?: AbortOptions): Promise<void> {
    return this.#observer.during('RemoveUpload', () => this.#uploads.remove(id, options))
  }

  list(options?: ListOptions): Promise<UploadStat[]> {
    return this.#observer.during('ListUploads', () => this.#uploads.list(options))
  }
}
