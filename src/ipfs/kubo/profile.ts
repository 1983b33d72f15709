import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../storage/object-store.ts'
import type { KuboNode } from './kubo-node.ts'

/**
 * The sha2-256 of every chunk of a file, 32 bytes each, as the nodes above its leaves tell them, where its DAG is of the
 * profile `unixfs-v1-2025`; undefined where it is of another, or not all of those nodes are there. Reads no leaf.
 *
 * @param size of the file, in bytes
 */
export function profileHashes(_node: KuboNode, _root: CID, _size: number, _options?: AbortOptions): Promise<Uint8Array | undefined> {
  throw new Error('to come')
}
