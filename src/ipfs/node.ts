import type { CID } from 'multiformats/cid'
import type { Digest } from '../oci/digest.ts'
import type { AbortOptions, ByteRange } from '../storage/object-store.ts'
import type { Block } from './unixfs/block.ts'

/** Small files by their path below a root directory (`_manifests/tags/latest/current/link`), in any order. */
export type Tree = ReadonlyMap<string, Uint8Array>

/** What cloning may cost at most; beyond it a DAG is refused. */
export interface TreeLimits {
  /** Bytes of all files together. */
  readonly bytes: number
  readonly files: number
  /** Directories below directories. */
  readonly depth: number
}

export interface WantedFile {
  readonly cid: CID
  /** The bytes must have this digest … */
  readonly digest: Digest
  /** … and this size, in bytes; of an image's first manifest only the digest is known beforehand, and what is too much. */
  readonly size: number | { readonly atMost: number }
  /** Where the object goes once the image is committed. */
  readonly path: string
}

/** One file on its way in. Blocks are verified as they arrive; the digest when the last one has. */
export interface FileFetch {
  /**
   * Resolves when every byte is here, verified against digest and size, and durable; `upload` is then an upload of
   * the store that only waits for its commit, or undefined where the object is at its path already.
   *
   * @throws ContentUnavailableError, VerificationError
   */
  readonly done: Promise<{ readonly upload: string | undefined }>

  /** Streams bytes as they are verified. The last ones come only after the digest has been found right. */
  read(range: ByteRange, options?: AbortOptions): AsyncIterable<Uint8Array>
}

/** Everything about one image comes through one session: whoever had one block will have the others. */
export interface ImageSession {
  /**
   * Resolves when the block of the session's root is here, and so somebody has the image. Cheap: nothing else is
   * fetched, and no more is kept of it than a directory needs.
   *
   * @throws ContentUnavailableError when it is not here within the session's time
   */
  find(options?: AbortOptions): Promise<void>

  /**
   * The files of the directory at the session's root.
   *
   * @throws ContentUnavailableError as `find`, or when a block of it can't be had
   * @throws VerificationError when it is no directory, is larger than `limits`, or its blocks lie
   */
  tree(limits: TreeLimits, options?: AbortOptions): Promise<Tree>

  /** Begins to fetch a file. The same file asked for again joins the fetch that is under way. */
  fetch(file: WantedFile): FileFetch

  /**
   * Records the blocks of the tree and, for every file fetched, which slice of the object at its path is which block.
   * Call it before the commit that makes the objects: a block of a file is served only when its object is there, so
   * the commit alone decides, and whatever is at the path by then serves it.
   *
   * @returns what nobody could tell from the objects if the index were lost, for `RebuildableIndex.takeLayout`: it goes into the
   *   same commit. Undefined where there is no such thing: where DAGs are of the profile, or the index stands with the objects
   */
  keep(options?: AbortOptions): Promise<Uint8Array | undefined>

  /** Stops what is under way and removes the uploads that were not committed. */
  close(): Promise<void>
}

export interface ReadBlockOptions extends AbortOptions {
  /**
   * Whether what the disk gave is held against the CID. Half a second a gigabyte, that only those may save who pass the
   * bytes on as they are to somebody who holds them against the CID himself, as every client of a trustless gateway does.
   * @default true
   */
  readonly verify?: boolean | undefined
}

/** Local blocks. */
export interface BlockReader {
  /** The block, or undefined when it is not here. The bytes are the caller's own, but those that an identity CID holds in itself. */
  get(cid: CID, options?: ReadBlockOptions): Promise<Uint8Array | undefined>
  has(cid: CID, options?: AbortOptions): Promise<boolean>
}

export interface NodeInfo {
  readonly peerId: string
  /** Multiaddrs under which others reach the node, peer id included. */
  readonly addresses: readonly string[]
  readonly peers: number
}

/** A node that is a program of its own, as it was seen last. */
export interface OuterNode {
  /** Its URL, without a user. */
  readonly name: string
  readonly peerId?: string | undefined
  readonly version?: string | undefined
  /** Why it can't be used; undefined: it can. */
  readonly failure?: string | undefined
}

export interface FileOptions extends AbortOptions {
  /** The bytes, when they are not at the path yet because the commit that puts them there is still to come. */
  readonly content?: Uint8Array | undefined
  /** What the object hashes to, where that is known: of one that is small enough nothing has to be read then. */
  readonly digest?: Digest | undefined
}

/** Stored objects as IPFS sees them. Needs no network. */
export interface DagIndex {
  /**
   * The UnixFS root of a stored object under the profile `unixfs-v1-2025`; its blocks are served as long as it is there.
   *
   * @throws ObjectUnknownError
   */
  file(path: string, options?: FileOptions): Promise<CID>

  /** Lays a tree out under the profile and stores its blocks; safe to repeat. */
  addTree(tree: Tree, options?: AbortOptions): Promise<CID>

  /** Reads blocks that are here; asks no one. */
  readonly blocks: BlockReader
}

/** A file of an image, by the root of a DAG of it, of whatever layout. */
export interface LaidOutFile {
  readonly cid: CID
  readonly path: string
}

/** An index that stands apart from its objects: it may be lost, be new, or lack what others have stored. */
export interface RebuildableIndex extends DagIndex {
  /** Whether a tree with this root is recorded, whether or not it is here: looks at nothing else, so that many can be asked for. */
  knows(root: CID): boolean

  /**
   * Records the blocks of an image's files as `ImageSession.keep` gave them, where nothing is known of them.
   *
   * @param files the image's
   * @returns the blocks of its tree, for `putTree` when all files are recorded; none where the tree is of the profile
   * @throws VerificationError where it is cut off, damaged, or not of these files: what was recorded by then is right
   * @throws ObjectUnknownError
   */
  takeLayout(layout: AsyncIterable<Uint8Array>, files: readonly LaidOutFile[], options?: AbortOptions): Promise<readonly Block[]>

  /** Records the blocks of a tree, the root last: who knows it takes all for there. @returns false, and nothing was done, where the root is none of them */
  putTree(root: CID, blocks: readonly Block[], options?: AbortOptions): Promise<boolean>
}

/** The others. One process of a registry runs it. */
export interface IpfsNetwork {
  start(): Promise<void>
  stop(): Promise<void>
  info(): Promise<NodeInfo>

  /** Opens a session for the image whose repository is `root`. Nothing is fetched yet. */
  open(root: CID): ImageSession
}

/**
 * Which DAGs the network shall hear of. In the store, so that any process can add one and the one with the network
 * tells of it: in the background, again as long as the DAG is here, also after a restart.
 */
export interface ProvideQueue {
  provide(roots: readonly CID[], options?: AbortOptions): Promise<void>
}
