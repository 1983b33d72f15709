import type { CID } from 'multiformats/cid'
import { CHUNK_SIZE, type AbortOptions } from '../../../storage/object-store.ts'
import { VerificationError } from '../../errors.ts'
import { DAG_PB, RAW, SHA2_256 } from '../../unixfs/block.ts'
import { layoutFile } from '../../unixfs/file-layout.ts'
import { decodeNode } from '../../unixfs/node.ts'
import type { KuboNode } from '../nodes/node.ts'

const HASH_SIZE = 32

/**
 * The sha2-256 of every chunk of a file, 32 bytes each, as the nodes above its leaves tell them, where its DAG is of the
 * profile `unixfs-v1-2025`; undefined where it is of another, or not all of those nodes are there. Reads no leaf.
 *
 * @param size of the file, in bytes
 */
export async function profileHashes(node: KuboNode, root: CID, size: number, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
  const leaves = Math.ceil(size / CHUNK_SIZE)
  // An empty file is a leaf that no chunk is for.
  const hashes = size === 0 ? new Uint8Array() : await leavesBelow(node, root, leaves, options)
  if (hashes?.length !== leaves * HASH_SIZE) return undefined
  return layoutFile(hashes, size).root.equals(root) ? hashes : undefined
}

async function leavesBelow(node: KuboNode, root: CID, leaves: number, { signal }: AbortOptions): Promise<Uint8Array | undefined> {
  const hashes: Uint8Array[] = []
  /** Depth first: the next one is the last. */
  const pending: CID[] = [root]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.version !== 1 || next.multihash.code !== SHA2_256) return undefined
    if (next.code === RAW) {
      hashes.push(next.multihash.digest)
      continue
    }
    // Above each leaf there may be one node, and no more of them than leaves.
    if (next.code !== DAG_PB || hashes.length + pending.length > leaves) return undefined
    const bytes = await node.block(next, { offline: true, signal })
    const links = bytes && linksOf(next, bytes)
    if (links === undefined || links.length < 2) return undefined
    pending.push(...links.toReversed())
  }
  return Buffer.concat(hashes)
}

/** Undefined for what no node above leaves is. */
function linksOf(cid: CID, bytes: Uint8Array): readonly CID[] | undefined {
  try {
    const node = decodeNode({ cid, bytes })
    return node.kind === 'file' ? node.links.map((link) => link.cid) : undefined
  } catch (error) {
    if (error instanceof VerificationError) return undefined
    throw error
  }
}
