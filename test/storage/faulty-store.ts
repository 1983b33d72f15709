import { setTimeout as sleep } from 'node:timers/promises'
import { StorageFailedError } from '../../src/storage/errors.ts'
import type { Batch, ChunkHashes, ObjectStore, UploadStore } from '../../src/storage/object-store.ts'

type Store = ObjectStore & ChunkHashes
type Fault = 'fails' | 'hangs' | undefined

/** Counts what would change something in several stores, and lets nothing through from the n-th on, which may still arrive. */
export class Life {
  steps = 0
  readonly #last: number
  readonly #reached: boolean

  constructor(last: number = Infinity, reached = false) {
    this.#last = last
    this.#reached = reached
  }

  get over(): boolean {
    return this.steps >= this.#last
  }

  async step<T>(work: () => Promise<T>): Promise<T> {
    if (this.over) throw new Error('it is over')
    this.steps++
    if (!this.over) return work()
    if (this.#reached) await work()
    throw new Error('it is over now')
  }
}

/** A store that fails, or hangs, when it is told to, and tells what it was asked. */
export class FaultyStore implements Store {
  readonly uploads: UploadStore
  /** Of everything, or of what changes something. */
  fault: Fault = undefined
  writeFault: Fault = undefined
  /** A stream fails, or hangs, after so many bytes. */
  breakAt: number = Infinity
  breaksBy: Fault = 'fails'
  asked: string[] = []
  life: Life = new Life()
  /** Called before a commit reaches the store. */
  beforeCommit: ((batch: Batch) => Promise<void>) | undefined
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
    const { uploads } = store
    this.uploads = {
      create: (...args) => this.#change('create', () => uploads.create(...args)),
      stat: (...args) => this.#look('upload', () => uploads.stat(...args)),
      append: (...args) => this.#change('append', () => uploads.append(...args)),
      read: (...args) => this.#stream('readUpload', uploads.read(...args)),
      verify: (...args) => this.#look('verify', () => uploads.verify(...args)),
      remove: (...args) => this.#change('remove', () => uploads.remove(...args)),
      list: (...args) => this.#look('uploads', () => uploads.list(...args)),
    }
  }

  stat: Store['stat'] = (path, options) => this.#look(`stat ${path}`, () => this.#store.stat(path, options))
  get: Store['get'] = (path, options) => this.#look(`get ${path}`, () => this.#store.get(path, options))
  list: Store['list'] = (path, options) => this.#look(`list ${path}`, () => this.#store.list(path, options))
  chunkHashes: Store['chunkHashes'] = (path, options) => this.#look(`chunkHashes ${path}`, () => this.#store.chunkHashes(path, options))
  read: Store['read'] = (path, options) => this.#stream(`read ${path}`, this.#store.read(path, options))
  commit: Store['commit'] = async (batch, options) => {
    await this.beforeCommit?.(batch)
    return this.#change('commit', () => this.#store.commit(batch, options))
  }

  async #look<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.asked.push(what)
    await this.#meet(this.fault)
    if (this.life.over) throw new Error('it is over')
    return work()
  }

  async #change<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.asked.push(what)
    await this.#meet(this.fault ?? this.writeFault)
    return this.life.step(work)
  }

  async *#stream(what: string, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    this.asked.push(what)
    await this.#meet(this.fault)
    let passed = 0
    for await (const chunk of source) {
      if (this.fault !== undefined) await this.#meet(this.fault)
      if (passed + chunk.byteLength > this.breakAt) {
        yield chunk.subarray(0, this.breakAt - passed)
        await this.#meet(this.breaksBy)
      }
      passed += chunk.byteLength
      yield chunk
    }
  }

  async #meet(fault: Fault): Promise<void> {
    if (fault === 'fails') throw new StorageFailedError('told to fail')
    // Longer than any limit, and never in the way of a test's end.
    if (fault === 'hangs') await sleep(2 ** 30, undefined, { ref: false })
  }
}
