import { createHash } from 'node:crypto'
import { ConflictError, ObjectUnknownError } from '../errors.ts'
import { assertPath } from '../object-path.ts'
import {
  CHUNK_SIZE, type AbortOptions, type Batch, type ByteRange, type ChunkHashes, type Expectation, type ListOptions, type ObjectStat, type ObjectStore,
} from '../object-store.ts'
import { pageOf, slices } from './pages.ts'
import { Room } from './room.ts'
import { ObjectTree, type StoredObject } from './tree.ts'
import { MemoryUploads } from './uploads.ts'

export interface MemoryStoreOptions {
  /** Of all objects together: beyond it those go that were not asked for the longest. What does not fit is refused. @default as many as there are */
  readonly maxBytes?: number | undefined
  /** Whether the object at a path may go, because it can be had elsewhere. @default each may */
  readonly mayGo?: ((path: string) => boolean) | undefined
}

/** Keeps everything in memory; for tests, for registries that may forget, and for caches. A commit never yields, hence is atomic. */
export class MemoryStore implements ObjectStore, ChunkHashes {
  readonly uploads: MemoryUploads
  readonly #objects = new ObjectTree()
  readonly #room: Room

  constructor({ maxBytes = Infinity, mayGo = () => true }: MemoryStoreOptions = {}) {
    this.#room = new Room(maxBytes, mayGo)
    this.uploads = new MemoryUploads(maxBytes)
  }

  async stat(path: string, options: AbortOptions = {}): Promise<ObjectStat | undefined> {
    options.signal?.throwIfAborted()
    const object = this.#get(path)
    return object === undefined ? undefined : { size: object.data.byteLength, modifiedAt: object.modifiedAt }
  }

  async get(path: string, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    options.signal?.throwIfAborted()
    return this.#get(path)?.data.slice()
  }

  async *read(path: string, options: ByteRange & AbortOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    const object = this.#get(path)
    if (object === undefined) throw new ObjectUnknownError(path)
    yield* slices(() => object.data, options)
  }

  async list(directory: string, options: ListOptions = {}): Promise<string[]> {
    options.signal?.throwIfAborted()
    return pageOf(this.#objects.names(directory), options)
  }

  async commit(batch: Batch, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    const { expect = [], uploads = [], changes = [] } = batch
    for (const { path } of uploads) assertPath(path)
    for (const change of changes) assertPath('put' in change ? change.put : change.delete)
    for (const expectation of expect) this.#check(expectation)
    const finished = uploads.map(({ id, path, digest }) => ({ id, path, data: this.uploads.finish(id, digest) }))
    const modifiedAt = Date.now()
    for (const { id, path, data } of finished) {
      if (this.#objects.get(path) === undefined) this.#set(path, { data, modifiedAt })
      this.uploads.drop(id)
    }
    for (const change of changes) {
      if ('put' in change) this.#set(change.put, { data: new Uint8Array(change.data), modifiedAt })
      else for (const object of this.#objects.delete(change.delete)) this.#room.free(object)
    }
    for (const path of this.#room.inExcess()) for (const object of this.#objects.delete(path)) this.#room.free(object)
  }

  async chunkHashes(path: string, options: AbortOptions = {}): Promise<Uint8Array> {
    const data = await this.get(path, options)
    if (data === undefined) throw new ObjectUnknownError(path)
    const hashes: Buffer[] = []
    for (let start = 0; start < data.byteLength; start += CHUNK_SIZE) {
      hashes.push(createHash('sha256').update(data.subarray(start, start + CHUNK_SIZE)).digest())
    }
    return Buffer.concat(hashes)
  }

  #get(path: string): StoredObject | undefined {
    const object = this.#objects.get(path)
    if (object !== undefined) this.#room.used(object)
    return object
  }

  #set(path: string, object: StoredObject): void {
    const before = this.#objects.set(path, object)
    if (before !== undefined) this.#room.free(before)
    this.#room.take(path, object)
  }

  #check(expectation: Expectation): void {
    if ('path' in expectation) {
      const { path, data } = expectation
      const actual = this.#objects.get(path)?.data
      if (data === undefined ? actual !== undefined : actual === undefined || Buffer.compare(actual, data) !== 0) throw new ConflictError(path)
      return
    }
    const { directory, names } = expectation
    const actual = pageOf(this.#objects.names(directory), { limit: names.length + 1 })
    if (actual.length !== names.length || actual.some((name, index) => name !== names[index])) throw new ConflictError(directory)
  }
}
