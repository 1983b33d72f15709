import { CID } from 'multiformats/cid'
import type { Digest } from '../../oci/digest.ts'
import { ObjectUnknownError } from '../../storage/errors.ts'
import type { Database } from '../../storage/embedded/database.ts'
import { CHUNK_SIZE, type AbortOptions, type ChunkHashes, type ObjectStore } from '../../storage/object-store.ts'
import type { FileOptions, LaidOutFile, ProvideQueue, RebuildableIndex, Tree } from '../node.ts'
import { sameBlock, type Block } from '../unixfs/block.ts'
import { chunkHashesOf, layoutFile, type FileLayout } from '../unixfs/file-layout.ts'
import { layoutTree } from '../unixfs/tree-layout.ts'
import { BLOCK_TABLES, BlockTable, TELL_TREE_ROOTS, type DagIndexOptions } from './block-table.ts'
import { DagLayouts } from './dag-layouts.ts'
import { PROVIDE_TABLES, ProvideTable } from './provide-table.ts'
import type { SliceRow } from './slice-row.ts'

const HASH_SIZE = 32
const NOTHING = new Uint8Array()

/** The index of blocks beside a store: which slice of which object is which block. In the embedded store's own database, or in one apart. */
export class EmbeddedDagIndex implements RebuildableIndex, ProvideQueue {
  readonly blocks: BlockTable
  readonly queue: ProvideTable
  /** Of an index that stands apart. */
  readonly layouts: DagLayouts | undefined
  readonly #store: ObjectStore & ChunkHashes

  private constructor(database: Database, store: ObjectStore & ChunkHashes, options: DagIndexOptions) {
    this.blocks = new BlockTable(database, store, options)
    this.queue = new ProvideTable(database)
    this.layouts = options.apart === true ? new DagLayouts(this.blocks, store) : undefined
    this.#store = store
  }

  static async open(database: Database, store: ObjectStore & ChunkHashes, options: DagIndexOptions = {}): Promise<EmbeddedDagIndex> {
    await database.migrate('ipfs', [BLOCK_TABLES + PROVIDE_TABLES, TELL_TREE_ROOTS])
    return new EmbeddedDagIndex(database, store, options)
  }

  async file(path: string, { content, digest, signal }: FileOptions = {}): Promise<CID> {
    const size = content?.length ?? (await this.#store.stat(path, { signal }))?.size
    if (size === undefined) throw new ObjectUnknownError(path)
    const known = this.blocks.root(path)
    if (known !== undefined) return CID.decode(known)
    const hashes = content === undefined ? (oneChunk(size, digest) ?? (await this.#store.chunkHashes(path, { signal }))) : chunkHashesOf(content)
    const layout = layoutFile(hashes, size)
    await this.blocks.putSlices(path, slicesOf(layout, hashes, size), { root: layout.root, signal })
    return layout.root
  }

  async addTree(tree: Tree, options?: AbortOptions): Promise<CID> {
    const { root, blocks } = layoutTree(tree)
    await this.blocks.putTree(root, blocks, options)
    return root
  }

  knows(root: CID): boolean {
    return this.blocks.knows(root)
  }

  async takeLayout(layout: AsyncIterable<Uint8Array>, files: readonly LaidOutFile[], options: AbortOptions = {}): Promise<readonly Block[]> {
    return (await this.layouts?.take(layout, files, options)) ?? []
  }

  async putTree(root: CID, blocks: readonly Block[], options?: AbortOptions): Promise<boolean> {
    if (!blocks.some(({ cid }) => sameBlock(cid, root))) return false
    await this.blocks.putTree(root, blocks, options)
    return true
  }

  provide(roots: readonly CID[], options?: AbortOptions): Promise<void> {
    return this.queue.add(roots, options)
  }
}

function* slicesOf({ root, nodes }: FileLayout, hashes: Uint8Array, size: number): Generator<SliceRow> {
  if (size === 0) yield { hash: root.multihash.digest, offset: 0, length: 0, head: NOTHING, tail: NOTHING }
  for (let offset = 0, at = 0; at < hashes.length; offset += CHUNK_SIZE, at += HASH_SIZE) {
    const length = Math.min(CHUNK_SIZE, size - offset)
    yield { hash: hashes.subarray(at, at + HASH_SIZE), offset, length, head: NOTHING, tail: NOTHING }
  }
  for (const { cid, bytes } of nodes) yield { hash: cid.multihash.digest, offset: 0, length: 0, head: bytes, tail: NOTHING }
}

/** The hash of the only chunk, which is the digest. */
function oneChunk(size: number, digest: Digest | undefined): Uint8Array | undefined {
  return size > 0 && size <= CHUNK_SIZE && digest?.algorithm === 'sha256' ? Buffer.from(digest.hex, 'hex') : undefined
}
