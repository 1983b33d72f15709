import type { CID } from 'multiformats/cid'
import { ObjectUnknownError, StorageFailedError } from '../../storage/errors.ts'
import type { Database } from '../../storage/embedded/database.ts'
import type { Statement } from '../../storage/embedded/statement.ts'
import type { AbortOptions, ObjectStore } from '../../storage/object-store.ts'
import type { BlockReader, ReadBlockOptions } from '../node.ts'
import { cidOf, DAG_PB, inlined, sameBlock, SHA2_256, sha256, type Block } from '../unixfs/block.ts'
import type { SliceRow } from './slice-row.ts'

/**
 * `object` 0 stands for no object: the block is all in `head`; -1 too, of the root of a tree, which is here as long as the
 * object is that shows the tree. One multihash may be a slice of several objects, any of which may go. Everything here can
 * be derived again.
 */
export const BLOCK_TABLES = `
  CREATE TABLE dag_object (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, root BLOB);
  CREATE TABLE dag_block (
    hash BLOB NOT NULL,
    object INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    head BLOB,
    tail BLOB,
    PRIMARY KEY (hash, object)
  ) WITHOUT ROWID;`

/** Roots of trees that an index has from before it told them apart: those of images were all provided, as CIDv1 of directories. */
export const TELL_TREE_ROOTS = `
  UPDATE dag_block SET object = -1 WHERE object = 0
  AND hash IN (SELECT substr(cid, 5) FROM provide WHERE length(cid) = 36 AND substr(cid, 1, 4) = x'01701220');`

const TREE_ROOT = -1

/** Rows of one transaction: it holds up everybody else's. */
const BATCH = 512
/** Candidates read at a time. */
const CANDIDATES = 8

const NOTHING = new Uint8Array()

interface Row {
  readonly object: number
  readonly path: string | null
  readonly offset: number
  readonly length: number
  readonly head: Uint8Array | null
  readonly tail: Uint8Array | null
}

export interface DagIndexOptions {
  /** The store's commits make nothing durable that is in the database: the index has to do so itself. @default false */
  readonly apart?: boolean | undefined
  /** The object with which a tree comes and goes, by the tree's root. @default trees are always here */
  readonly shownBy?: ((root: CID) => string) | undefined
}

export interface PutSlicesOptions extends AbortOptions {
  /** The object's root, which becomes known last. */
  readonly root?: CID | undefined
  /** Whether these are better than what was recorded of the same blocks in the same object. @default true */
  readonly replace?: boolean | undefined
}

/** Blocks by their multihash: small ones as they are, the others as slices of stored objects. */
export class BlockTable implements BlockReader {
  readonly #database: Database
  readonly #store: ObjectStore
  readonly #apart: boolean
  readonly #shownBy: DagIndexOptions['shownBy']

  constructor(database: Database, store: ObjectStore, { apart = false, shownBy }: DagIndexOptions) {
    this.#database = database
    this.#store = store
    this.#apart = apart
    this.#shownBy = shownBy
  }

  /** @throws StorageFailedError when it should be here, and what is on disk is not it, as far as that is looked at */
  async get(cid: CID, { verify = true, ...options }: ReadBlockOptions = {}): Promise<Uint8Array | undefined> {
    options.signal?.throwIfAborted()
    const inline = inlined(cid)
    if (inline !== undefined) return inline
    if (cid.multihash.code !== SHA2_256) return undefined
    // Files beside which the index stands apart are in others' hands as well.
    const trusts = !verify && !this.#apart
    let damaged: string | undefined
    for (const row of this.#rows(cid)) {
      const bytes = await this.#read(row, options)
      if (bytes === undefined) continue
      // A disk that lies must not make liars of us: half a millisecond a MiB.
      if (bytes !== 'damaged' && (trusts || sha256(bytes).equals(cid.multihash.digest))) return bytes
      damaged = row.path ?? 'the block index'
    }
    if (damaged !== undefined) throw new StorageFailedError(`block ${cid} in ${damaged} is damaged`)
    return undefined
  }

  async has(cid: CID, options: AbortOptions = {}): Promise<boolean> {
    options.signal?.throwIfAborted()
    if (inlined(cid) !== undefined) return true
    if (cid.multihash.code !== SHA2_256) return false
    for (const { path } of this.#rows(cid)) {
      if (path === null || (await this.#store.stat(path, options)) !== undefined) return true
    }
    return false
  }

  /** The block as it is but for the bytes that are an object's, in whose place is anything: enough to see how a DAG is laid out. */
  hollow(cid: CID): Uint8Array | undefined {
    const inline = inlined(cid)
    if (inline !== undefined) return inline
    for (const { length, head, tail } of this.#rows(cid)) {
      const before = head ?? NOTHING
      const block = Buffer.allocUnsafe(before.length + length + (tail?.length ?? 0))
      block.set(before)
      block.set(tail ?? NOTHING, before.length + length)
      return block
    }
    return undefined
  }

  /** Whether a tree with this root, or a block that is no object's, was put, be it here or not. */
  knows(root: CID): boolean {
    return this.#database.get('SELECT 1 FROM dag_block WHERE hash = ? AND object <= 0', root.multihash.digest) !== undefined
  }

  /** A tree, its root last. An image's comes after its files: then all of its blocks are as durable as its commit. */
  async putTree(root: CID, blocks: readonly Block[], options?: AbortOptions): Promise<void> {
    const isRoot = ({ cid }: Block): boolean => sameBlock(cid, root)
    const ordered = [...blocks.filter((block) => !isRoot(block)), ...blocks.filter(isRoot)]
    for (const batch of inBatches(ordered)) {
      const statements = batch
        .filter(({ cid }) => cid.multihash.code === SHA2_256)
        .map((block): Statement => ({ sql: INSERT_WHOLE, params: [block.cid.multihash.digest, isRoot(block) ? TREE_ROOT : 0, block.bytes] }))
      await this.#write(statements, options, this.#apart)
    }
  }

  /** Blocks that are slices of the object at `path`, which need not be there yet. */
  async putSlices(path: string, rows: Iterable<SliceRow>, { root, replace = true, ...options }: PutSlicesOptions = {}): Promise<void> {
    await this.#write([{ sql: 'INSERT OR IGNORE INTO dag_object (path) VALUES (?)', params: [path] }], options)
    for (const batch of inBatches(rows)) await this.#write(batch.map((row) => insertSlice(path, row, replace)), options)
    if (root === undefined) return
    await this.#write([{ sql: 'UPDATE dag_object SET root = ? WHERE path = ?', params: [root.bytes, path] }], options)
  }

  /** Objects that have been indexed: the highest number that one was given, which costs nothing to look up. */
  get objects(): number {
    return this.#database.get<{ last: number | null }>('SELECT max(id) AS last FROM dag_object')?.last ?? 0
  }

  /** The root that `putSlices` made known. */
  root(path: string): Uint8Array | undefined {
    return this.#database.get<{ root: Uint8Array | null }>('SELECT root FROM dag_object WHERE path = ?', path)?.root ?? undefined
  }

  /** What can be derived again need not be waited for: whoever relies on it writes something durable after it. */
  #write(statements: readonly Statement[], { signal }: AbortOptions = {}, durable: boolean = false): Promise<void> {
    return this.#database.write(statements, { signal, durable })
  }

  *#rows(cid: CID): Generator<Row> {
    let after = TREE_ROOT - 1
    for (;;) {
      const rows = this.#database.all<Row>(SELECT, cid.multihash.digest, after, CANDIDATES)
      for (const row of rows) yield row.object === TREE_ROOT ? { ...row, path: this.#shownBy?.(cidOf(DAG_PB, cid.multihash.digest)) ?? null } : row
      if (rows.length < CANDIDATES) return
      after = rows.at(-1)?.object ?? after
    }
  }

  async #read({ path, offset, length, head, tail }: Row, options: AbortOptions): Promise<Uint8Array | 'damaged' | undefined> {
    const before = head ?? NOTHING
    const after = tail ?? NOTHING
    if (path === null) return before
    if (length === 0) return (await this.#store.stat(path, options)) === undefined ? undefined : Buffer.concat([before, after])
    const block = Buffer.allocUnsafeSlow(before.length + length + after.length)
    block.set(before)
    let at = before.length
    try {
      for await (const chunk of this.#store.read(path, { start: offset, length, prompt: true, ...options })) {
        block.set(chunk, at)
        at += chunk.length
      }
    } catch (error) {
      if (error instanceof ObjectUnknownError) return undefined
      throw error
    }
    // What was not read is memory that was used before: never for others' eyes.
    if (at !== before.length + length) return 'damaged'
    block.set(after, at)
    return block
  }
}

const SELECT = `
  SELECT b.object, o.path, b.offset, b.length, b.head, b.tail FROM dag_block b LEFT JOIN dag_object o ON o.id = b.object
  WHERE b.hash = ? AND b.object > ? ORDER BY b.object LIMIT ?`

const INSERT_WHOLE = 'INSERT OR IGNORE INTO dag_block VALUES (?, ?, 0, 0, ?, NULL)'

const INSERT_SLICE = 'INTO dag_block SELECT ?, id, ?, ?, ?, ? FROM dag_object WHERE path = ?'

function insertSlice(path: string, { hash, offset, length, head, tail }: SliceRow, replace: boolean): Statement {
  const orNull = (bytes: Uint8Array): Uint8Array | null => (bytes.length === 0 ? null : bytes)
  return { sql: `INSERT OR ${replace ? 'REPLACE' : 'IGNORE'} ${INSERT_SLICE}`, params: [hash, offset, length, orNull(head), orNull(tail), path] }
}

function* inBatches<T>(items: Iterable<T>): Generator<T[]> {
  let batch: T[] = []
  for (const item of items) {
    batch.push(item)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
