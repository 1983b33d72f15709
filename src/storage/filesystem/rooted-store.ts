import type { BigIntStats } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Digest } from '../../oci/digest.ts'
import { untilAborted } from '../../oci/until-aborted.ts'
import { StorageFailedError } from '../errors.ts'
import type {
  AbortOptions, AppendOptions, Batch, ByteRange, ChunkHashes, ListOptions, ObjectStat, ObjectStore, ReadOptions, UploadStat, UploadStore,
} from '../object-store.ts'
import { onDisk, unlessThere } from './disk.ts'
import { FilesystemStore, type FilesystemOptions } from './store.ts'

/**
 * A `FilesystemStore` in the directory that it was opened on and in no other, which may come to be at its path when a
 * volume is no longer mounted: it would have nothing of what is stored, and what is pushed would be hidden by the volume.
 * While that directory is not there, everything fails, and nothing is absent.
 */
export class RootedStore implements ObjectStore, ChunkHashes {
  readonly uploads: UploadStore
  readonly #store: FilesystemStore
  readonly #root: Root

  private constructor(store: FilesystemStore, root: Root) {
    this.#store = store
    this.#root = root
    this.uploads = new RootedUploads(store.uploads, root)
  }

  /** As `FilesystemStore.open`. @throws StorageFailedError */
  static async open(path: string, options: FilesystemOptions): Promise<RootedStore> {
    const store = await FilesystemStore.open(path, options)
    try {
      return new RootedStore(store, await Root.at(path))
    } catch (error) {
      await store.close()
      throw error
    }
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  stat(path: string, options?: AbortOptions): Promise<ObjectStat | undefined> {
    return this.#root.reading(() => this.#store.stat(path, options), options)
  }

  get(path: string, options?: AbortOptions): Promise<Uint8Array | undefined> {
    return this.#root.reading(() => this.#store.get(path, options), options)
  }

  read(path: string, options?: ReadOptions): AsyncIterable<Uint8Array> {
    return this.#root.streaming(() => this.#store.read(path, options), options)
  }

  list(directory: string, options?: ListOptions): Promise<string[]> {
    return this.#root.reading(() => this.#store.list(directory, options), options)
  }

  chunkHashes(path: string, options?: AbortOptions): Promise<Uint8Array> {
    return this.#root.reading(() => this.#store.chunkHashes(path, options), options)
  }

  commit(batch: Batch, options?: AbortOptions): Promise<void> {
    return this.#root.writing(() => this.#store.commit(batch, options), options)
  }
}

class RootedUploads implements UploadStore {
  readonly #uploads: UploadStore
  readonly #root: Root

  constructor(uploads: UploadStore, root: Root) {
    this.#uploads = uploads
    this.#root = root
  }

  create(id: string, repository: string, options?: AbortOptions): Promise<void> {
    return this.#root.writing(() => this.#uploads.create(id, repository, options), options)
  }

  stat(id: string, options?: AbortOptions): Promise<UploadStat | undefined> {
    return this.#root.reading(() => this.#uploads.stat(id, options), options)
  }

  append(id: string, offset: number, source: AsyncIterable<Uint8Array>, options?: AppendOptions): Promise<number> {
    return this.#root.writing(() => this.#uploads.append(id, offset, source, options), options)
  }

  read(id: string, options?: ByteRange & AbortOptions): AsyncIterable<Uint8Array> {
    return this.#root.streaming(() => this.#uploads.read(id, options), options)
  }

  verify(id: string, digest: Digest, options?: AbortOptions): Promise<void> {
    return this.#root.writing(() => this.#uploads.verify(id, digest, options), options)
  }

  remove(id: string, options?: AbortOptions): Promise<void> {
    return this.#root.writing(() => this.#uploads.remove(id, options), options)
  }

  list(options?: ListOptions): Promise<UploadStat[]> {
    return this.#root.reading(() => this.#uploads.list(options), options)
  }
}

/** A directory, by what it is and not by its path. */
class Root {
  readonly #path: string
  readonly #opened: BigIntStats
  #looking: Promise<void> | undefined

  private constructor(path: string, opened: BigIntStats) {
    this.#path = path
    this.#opened = opened
  }

  /** @throws StorageFailedError */
  static async at(path: string): Promise<Root> {
    const opened = await statAt(path)
    if (opened === undefined) throw new StorageFailedError(`there is no directory ${path}`)
    return new Root(path, opened)
  }

  /** What was found, or not, was so in this directory if that is at its path afterwards. */
  async reading<T>(work: () => Promise<T>, options: AbortOptions = {}): Promise<T> {
    const result = await work().catch((error: unknown) => this.#explain(error, options))
    await this.#check()
    return result
  }

  /** Nothing is begun elsewhere, and what was done meanwhile is not believed to be here. */
  async writing<T>(work: () => Promise<T>, options: AbortOptions = {}): Promise<T> {
    // Of several that come at once the first one's look is good for all: so they go on in their order.
    const looking = (this.#looking ??= this.#check().finally(() => {
      this.#looking = undefined
    }))
    await untilAborted(looking, options.signal)
    return this.reading(work, options)
  }

  /** What was opened here goes on, whatever becomes of the path. */
  async *streaming(open: () => AsyncIterable<Uint8Array>, options: AbortOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    await untilAborted(this.#check(), options.signal)
    try {
      yield* open()
    } catch (error) {
      await this.#explain(error, options)
    }
  }

  /** Who has given up waits for nothing more, and hears why he has. */
  async #explain(error: unknown, { signal }: AbortOptions): Promise<never> {
    if (signal?.aborted !== true) await this.#check()
    throw error
  }

  async #check(): Promise<void> {
    const found = await statAt(this.#path)
    if (found !== undefined && isSame(this.#opened, found)) return
    const what = found === undefined ? 'is gone' : 'is another one than was opened'
    throw new StorageFailedError(`the directory of the images, ${this.#path}, ${what}: mount or put it back; or start Disco again to use what is there now`)
  }
}

function statAt(path: string): Promise<BigIntStats | undefined> {
  return onDisk(path, () => stat(path, { bigint: true }).catch(unlessThere))
}

/** A volume that is mounted anew is the same where its device has kept its number. */
function isSame(opened: BigIntStats, found: BigIntStats): boolean {
  if (opened.dev !== found.dev || opened.ino !== found.ino) return false
  // Numbers are given anew. Where the system does not tell when a file was made, it says 0, or when it was changed last.
  const isTold = opened.birthtimeNs !== 0n && opened.birthtimeNs !== opened.ctimeNs
  return !isTold || opened.birthtimeNs === found.birthtimeNs
}
