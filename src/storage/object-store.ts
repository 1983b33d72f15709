import type { AbortOptions } from '../oci/abort.ts'
import type { Digest } from '../oci/digest.ts'

export type { AbortOptions }

export interface ByteRange {
  /** First byte to read. @default 0 */
  readonly start?: number | undefined
  /** Bytes to read from there on. @default all */
  readonly length?: number | undefined
}

export interface ReadOptions extends ByteRange, AbortOptions {
  /** Each chunk is asked for at once, whatever the network does: read in large ones. @default false */
  readonly prompt?: boolean | undefined
}

export interface ObjectStat {
  /** Size in bytes. */
  readonly size: number
  /** When the object was written, in milliseconds since the epoch. */
  readonly modifiedAt: number
}

export interface ListOptions extends AbortOptions {
  /** Only names that sort after this one. */
  readonly after?: string | undefined
  /** At most this many names. @default 1000 */
  readonly limit?: number | undefined
}

/** One step of a commit. A delete takes the object at `path` and everything below `path/`; deleting what is not there is no error. */
export type Change = { readonly put: string; readonly data: Uint8Array } | { readonly delete: string }

/** What must hold for a commit to happen. */
export type Expectation =
  /** The names directly below `directory` are exactly these, in order. */
  | { readonly directory: string; readonly names: readonly string[] }
  /** The object at `path` has exactly these bytes; undefined: there is none. For small objects: links. */
  | { readonly path: string; readonly data: Uint8Array | undefined }

export interface FinishedUpload {
  readonly id: string
  /** Where its bytes become an object. If an object is there already, it stays and the upload's bytes are dropped. */
  readonly path: string
  /** What the bytes must hash to. */
  readonly digest: Digest
}

export interface Batch {
  /** Checked in the commit itself; when one does not hold, ConflictError, and nothing has changed. */
  readonly expect?: readonly Expectation[]
  /** Uploads to turn into objects; they are gone as uploads afterwards. */
  readonly uploads?: readonly FinishedUpload[]
  /** Done in this order. A store without transactions keeps the order, so put last what makes the rest visible. */
  readonly changes?: readonly Change[]
}

/**
 * Objects by path: `/`-separated, relative, no empty, `.` or `..` segment; what a path means is not the store's business.
 *
 * - An answer of `undefined` (or an empty list) is a proven absence. Everything else that goes wrong throws.
 * - What a method has acknowledged survives a crash and a power loss; of an upload under way, on Kubo, only a crash.
 * - Several processes may use one store at once; each sees what another has committed.
 * - A path that is an object's may not be the beginning of another's: where objects are files, they can have none below.
 */
export interface ObjectStore {
  stat(path: string, options?: AbortOptions): Promise<ObjectStat | undefined>

  /** The whole of a small object: a link, a manifest, `disco.json`. */
  get(path: string, options?: AbortOptions): Promise<Uint8Array | undefined>

  /**
   * The bytes of an object, whatever its size. A chunk is the reader's until it asks for the next one.
   *
   * @throws ObjectUnknownError at the first chunk, when there is no such object
   */
  read(path: string, options?: ReadOptions): AsyncIterable<Uint8Array>

  /** Names directly below `directory`, objects and directories alike, each once, sorted by their bytes. Costs the page, not the directory. */
  list(directory: string, options?: ListOptions): Promise<string[]>

  /**
   * All of it or nothing, durable when the promise resolves.
   *
   * @throws ConflictError when an expectation does not hold
   * @throws DigestMismatchError when an upload's bytes do not have its digest; the upload stays
   * @throws UploadUnknownError, UploadBusyError
   */
  commit(batch: Batch, options?: AbortOptions): Promise<void>

  readonly uploads: UploadStore
}

/** What is enough to look at small objects. */
export type ObjectReader = Pick<ObjectStore, 'stat' | 'get' | 'list'>

export interface UploadStat {
  readonly id: string
  /** The name that `create` was given. */
  readonly repository: string
  /** Bytes that are durably there. */
  readonly size: number
  /** When it was last created or appended to, in milliseconds since the epoch. */
  readonly modifiedAt: number
}

export interface AppendOptions extends AbortOptions {
  /** Called as bytes become readable by `UploadStore.read` (not yet durable), with the upload's size so far. */
  readonly onProgress?: ((size: number) => void) | undefined
  /**
   * Whether `ChunkHashes` will be asked about the object, so that its chunks are better hashed as they come in. Right
   * either way: what was not computed along is computed when it is asked for.
   * @default true
   */
  readonly chunkHashes?: boolean | undefined
}

/** Objects in the making. A session lives in the store: any process goes on with it, also after a restart. */
export interface UploadStore {
  /** @throws Error when the id is taken */
  create(id: string, repository: string, options?: AbortOptions): Promise<void>

  stat(id: string, options?: AbortOptions): Promise<UploadStat | undefined>

  /**
   * Appends all that `source` yields; resolves with the new size once it is durable. When `source` throws or the
   * signal aborts, what had arrived is kept and the reason is thrown. A chunk is the store's until it asks for the next.
   *
   * @throws OffsetMismatchError when `offset` is not the upload's size
   * @throws UploadBusyError while another append or commit of it is under way, in whichever process
   * @throws UploadUnknownError
   */
  append(id: string, offset: number, source: AsyncIterable<Uint8Array>, options?: AppendOptions): Promise<number>

  /**
   * The bytes of an upload so far, also while it is appended to; ends where the readable bytes end.
   *
   * @throws UploadUnknownError
   */
  read(id: string, options?: ByteRange & AbortOptions): AsyncIterable<Uint8Array>

  /**
   * Checks the bytes and makes them durable, so that a commit of them is quick and cannot mismatch.
   *
   * @throws DigestMismatchError, UploadUnknownError, UploadBusyError
   */
  verify(id: string, digest: Digest, options?: AbortOptions): Promise<void>

  /** Drops the upload and its bytes. An unknown one is no error. @throws UploadBusyError */
  remove(id: string, options?: AbortOptions): Promise<void>

  /** Sessions in the order of their ids. */
  list(options?: ListOptions): Promise<UploadStat[]>
}

/** A store that computed, as the bytes came in, what a UnixFS layout of them needs. */
export interface ChunkHashes {
  /** sha2-256 of every `CHUNK_SIZE` bytes of the object, one after the other, 32 bytes each; none for an empty object. Computed now where it has to be. */
  chunkHashes(path: string, options?: AbortOptions): Promise<Uint8Array>
}

/** Where objects can be had without the store. */
export interface ObjectLinks {
  /**
   * A URL that needs no login; undefined: the object is not to be had elsewhere now.
   *
   * @param seconds that it is good for at least
   */
  presigned(path: string, method: 'GET' | 'HEAD', seconds: number): Promise<string | undefined>
}

/** Bytes of a chunk: `unixfs-v1-2025` (IPIP-499). */
export const CHUNK_SIZE: number = 1024 * 1024
