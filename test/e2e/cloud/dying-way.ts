import type { AbortOptions } from '../../../src/storage/object-store.ts'
import type { Bucket, Found, Opened, OpenOptions, Page, PageOptions, Piece, PieceSizes, Small } from '../../../src/storage/bucket/bucket.ts'
import type { Faults } from '../../../src/storage/bucket/retries.ts'
import { StorageFailedError } from '../../../src/storage/errors.ts'
import type { DyingWay } from '../harness/cut-off-commits.ts'

/**
 * A bucket that is gone at the n-th request that changes something: before it is done, or before it is answered. Nothing
 * goes through from then on.
 */
export class DyingAtPort implements Bucket, DyingWay {
  readonly name: string
  readonly faults: Faults
  readonly pieces: PieceSizes
  readonly noEtag: string
  changes = 0
  readonly done: string[] = []
  readonly #to: Bucket
  readonly #last: number
  readonly #reached: boolean

  constructor(to: Bucket, last: number = Infinity, reached = false) {
    this.#to = to
    this.#last = last
    this.#reached = reached
    const { name, faults, pieces, noEtag } = to
    this.name = name
    this.faults = faults
    this.pieces = pieces
    this.noEtag = noEtag
  }

  get bucket(): Bucket {
    return this
  }

  get dead(): boolean {
    return this.changes >= this.#last
  }

  head(path: string, options?: AbortOptions): Promise<Found | undefined> {
    return this.#looking(() => this.#to.head(path, options))
  }

  get(path: string, options?: AbortOptions): Promise<Small | undefined> {
    return this.#looking(() => this.#to.get(path, options))
  }

  open(path: string, options: OpenOptions): Promise<Opened | undefined | 'end' | 'changed'> {
    return this.#looking(() => this.#to.open(path, options))
  }

  page(prefix: string, options?: PageOptions): Promise<Page> {
    return this.#looking(() => this.#to.page(prefix, options))
  }

  put(path: string, data: Uint8Array, options?: AbortOptions): Promise<string> {
    return this.#changing(`put ${path}`, () => this.#to.put(path, data, options))
  }

  putPieces(path: string, pieces: readonly Uint8Array[], options?: AbortOptions): Promise<string> {
    return this.#changing(`put ${path}`, () => this.#to.putPieces(path, pieces, options))
  }

  putIf(path: string, data: Uint8Array, etag: string | undefined, options?: AbortOptions): Promise<string | undefined> {
    return this.#changing(`put ${path} if`, () => this.#to.putIf(path, data, etag, options))
  }

  compose(pieces: readonly Piece[], to: string, options?: AbortOptions): Promise<string> {
    return this.#changing(`compose ${to}`, () => this.#to.compose(pieces, to, options))
  }

  delete(paths: readonly string[], options?: AbortOptions): Promise<void> {
    return this.#changing(`delete ${paths.join(' ')}`, () => this.#to.delete(paths, options))
  }

  presigned(path: string, method: 'GET' | 'HEAD', seconds: number): Promise<string | undefined> {
    return this.#to.presigned(path, method, seconds)
  }

  tidy(before: number, isOurs: (path: string) => boolean, options?: AbortOptions): Promise<void> {
    return this.#looking(() => this.#to.tidy(before, isOurs, options))
  }

  close(): void {
    this.#to.close()
  }

  async #looking<T>(request: () => Promise<T>): Promise<T> {
    if (this.dead) throw new StorageFailedError('cut off')
    return request()
  }

  async #changing<T>(what: string, request: () => Promise<T>): Promise<T> {
    if (this.dead) throw new StorageFailedError('cut off')
    this.changes++
    this.done.push(what)
    if (!this.dead) return request()
    if (this.#reached) await request()
    throw new StorageFailedError('cut off')
  }
}
