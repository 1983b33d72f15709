import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'
import type { BlockReader, DagIndex, FileOptions, Tree } from '../ipfs/node.ts'
import { chunkHashesOf, layoutFile } from '../ipfs/unixfs/file-layout.ts'
import { parseDigest, type Digest } from '../oci/digest.ts'
import { within } from '../registry/paths.ts'
import { ObjectUnknownError } from '../storage/errors.ts'
import type { ChunkHashes, ObjectStore } from '../storage/object-store.ts'
import { LATEST } from './repository-tree.ts'

const DAG_PB = 0x70
const SHA2_256 = 0x12

const NO_BLOCKS: BlockReader = {
  get: async () => undefined,
  has: async () => false,
}

/**
 * Where there is no IPFS (`cacheonly`): an image has the CID as its name that the original Disco gives it then, the
 * manifest's digest as that of a directory, to which no block hashes. Its objects have the CIDs that they would have.
 */
export class UnpublishedIndex implements DagIndex {
  readonly blocks: BlockReader = NO_BLOCKS
  readonly #store: ObjectStore & ChunkHashes

  constructor(store: ObjectStore & ChunkHashes) {
    this.#store = store
  }

  async file(path: string, { content, signal }: FileOptions = {}): Promise<CID> {
    if (content !== undefined) return layoutFile(chunkHashesOf(content), content.length).root
    const stat = await this.#store.stat(path, { signal })
    if (stat === undefined) throw new ObjectUnknownError(path)
    return layoutFile(await this.#store.chunkHashes(path, { signal }), stat.size).root
  }

  async addTree(tree: Tree): Promise<CID> {
    const digest = parseDigest(Buffer.from(tree.get(within.tagCurrent(LATEST)) ?? []).toString())
    if (digest === undefined) throw new Error(`a repository without ${LATEST} has no name`)
    return CID.createV1(DAG_PB, create(SHA2_256, hashOf(digest)))
  }
}

/** Names of repositories have room for 32 bytes. */
function hashOf({ algorithm, hex }: Digest): Uint8Array {
  const bytes = Buffer.from(hex, 'hex')
  return algorithm === 'sha256' ? bytes : createHash('sha256').update(bytes).digest()
}
