import { stat } from 'node:fs/promises'
import { ObjectUnknownError } from '../errors.ts'
import { FileStreams } from '../files/file-streams.ts'
import type { AbortOptions, ListOptions, ObjectReader, ObjectStat, ReadOptions } from '../object-store.ts'
import { onDisk, openFile, readFile, unlessThere } from './disk.ts'
import { Listing } from './listing.ts'
import { TreePaths, type UploadPlaces } from './tree-paths.ts'

/** A directory of objects that is only looked at: nothing in it is made or changed. */
export class FilesystemReader implements ObjectReader {
  readonly paths: TreePaths
  readonly streams: FileStreams = new FileStreams()
  readonly #listing: Listing

  constructor(root: string, places: UploadPlaces) {
    this.paths = new TreePaths(root, places)
    this.#listing = new Listing(this.paths)
  }

  async stat(path: string, options: AbortOptions = {}): Promise<ObjectStat | undefined> {
    options.signal?.throwIfAborted()
    const file = this.paths.file(path)
    const found = await onDisk(path, () => stat(file).catch(unlessThere))
    return found?.isFile() === true ? { size: found.size, modifiedAt: found.mtimeMs } : undefined
  }

  async get(path: string, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    options.signal?.throwIfAborted()
    const file = this.paths.file(path)
    return onDisk(path, () => readFile(file))
  }

  async *read(path: string, options: ReadOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    options.signal?.throwIfAborted()
    const file = this.paths.file(path)
    const handle = await onDisk(path, () => openFile(file))
    if (handle === undefined) throw new ObjectUnknownError(path)
    yield* this.streams.read(handle, options)
  }

  async list(directory: string, options: ListOptions = {}): Promise<string[]> {
    options.signal?.throwIfAborted()
    return onDisk(directory, () => this.#listing.page(directory, options))
  }
}
