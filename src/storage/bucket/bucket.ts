import type { AbortOptions } from '../object-store.ts'
import type { Faults } from './retries.ts'

export interface Found {
  /** Bytes. */
  readonly size: number
  /** In milliseconds since the epoch; most servers count seconds. */
  readonly modifiedAt: number
  /** Another one for other bytes: what conditions name, whatever the server calls it. */
  readonly etag: string
}

export interface Small extends Found {
  readonly data: Uint8Array
  /** Milliseconds since it was written, by the server's clock alone. */
  readonly age: number
}

/** Bytes from the start of the range on. */
export interface Opened {
  /** Of the first byte that comes, as the server says. */
  readonly start: number
  /** Bytes that come. */
  readonly length: number
  readonly etag: string
  /** A chunk is good until the next one is asked for. @throws Error when the connection is cut */
  chunks(): AsyncGenerator<Uint8Array, void, void>
  /** Where they are not asked for. */
  destroy(): void
}

export interface OpenOptions extends AbortOptions {
  readonly start: number
  /** Of the first byte that is not wanted. */
  readonly end: number
  /** What the object has to have, where reading goes on. */
  readonly etag?: string | undefined
  /** Read by who takes them at once. */
  readonly prompt?: boolean | undefined
}

export interface Page {
  readonly objects: readonly (Found & { readonly path: string })[]
  /** With the delimiter at their ends. */
  readonly prefixes: readonly string[]
  /** Where the next page goes on; undefined: there is none. A page that has a next one is not empty. */
  readonly next: string | undefined
}

export interface PageOptions extends AbortOptions {
  readonly delimiter?: '/' | undefined
  /** Only paths that sort after this one; with a delimiter and one that ends so: nothing below it. */
  readonly after?: string | undefined
  /** Of the page before, and counts more than `after`. */
  readonly next?: string | undefined
  readonly limit?: number | undefined
}

/** An object that becomes a part of another. */
export interface Piece {
  readonly path: string
  /** Bytes. */
  readonly size: number
}

/** Of what objects are composed. */
export interface PieceSizes {
  /** Bytes of each. */
  readonly size: number
  /** Bytes of each but the last, at least. */
  readonly least: number
  /** Of one object, at most. */
  readonly most: number
}

/** Paths in one request to delete, or one page. */
export const PAGE = 1000

/**
 * What a store needs of a bucket: requests by paths below its root directory, each retried until it is done. Whoever speaks
 * to a kind of server implements it, and knows no more of what the objects are than this.
 */
export interface Bucket {
  /** For who reads messages. */
  readonly name: string
  readonly faults: Faults
  readonly pieces: PieceSizes
  /** Of no object. */
  readonly noEtag: string

  head(path: string, options?: AbortOptions): Promise<Found | undefined>

  /** The whole of a small object. */
  get(path: string, options?: AbortOptions): Promise<Small | undefined>

  /** Undefined: there is no such object. `end`: nothing in the range. `changed`: it is no longer the one with the etag. */
  open(path: string, options: OpenOptions): Promise<Opened | undefined | 'end' | 'changed'>

  /** The new object's etag. */
  put(path: string, data: Uint8Array, options?: AbortOptions): Promise<string>

  /** Puts what is in pieces of memory. */
  putPieces(path: string, pieces: readonly Uint8Array[], options?: AbortOptions): Promise<string>

  /**
   * Puts it if the object has this etag, or if there is none. Undefined: it had not, or an earlier try has done it whose
   * answer was lost.
   */
  putIf(path: string, data: Uint8Array, etag: string | undefined, options?: AbortOptions): Promise<string | undefined>

  /**
   * Makes one object of several, one after the other, without their bytes leaving the server; it is there whole or not at
   * all. The new object's etag.
   */
  compose(pieces: readonly Piece[], to: string, options?: AbortOptions): Promise<string>

  /** One page of the paths that begin with `prefix`, by their bytes. */
  page(prefix: string, options?: PageOptions): Promise<Page>

  /** At most a page of them. What is not there is no error. */
  delete(paths: readonly string[], options?: AbortOptions): Promise<void>

  /** A URL under which an object can be had without a key, for so many seconds. Undefined: whoever asks as we do can give none. */
  presigned(path: string, method: 'GET' | 'HEAD', seconds: number): Promise<string | undefined>

  /** Gives up what compositions have begun before a time, in milliseconds since the epoch, and never ended: it costs room that nobody sees. */
  tidy(before: number, isOurs: (path: string) => boolean, options?: AbortOptions): Promise<void>

  close(): void
}
