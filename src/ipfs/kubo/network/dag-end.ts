import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../../storage/object-store.ts'
import { ContentUnavailableError } from '../../errors.ts'
import { inlined } from '../../unixfs/block.ts'
import { walkFile } from '../../unixfs/walk-file.ts'
import { Window } from '../../unixfs/window.ts'
import type { KuboNode } from '../nodes/node.ts'

export interface GivenBytes extends AbortOptions {
  /** Of the file. */
  readonly size: number
  /** Bytes that the node has given of it. */
  readonly given: number
}

/**
 * Why a node that has all of a file gives no more of it: few blocks may be linked so that there are more ways through
 * them than anybody can go, and Kubo goes them all.
 *
 * @throws VerificationError where that is so; ContentUnavailableError, KuboDownError, KuboRefusedError
 */
export async function checkGoesOn(node: KuboNode, cid: CID, { size, given, signal }: GivenBytes): Promise<void> {
  const fetch = async (wanted: CID, options: AbortOptions): Promise<Uint8Array> => {
    const bytes = inlined(wanted) ?? (await node.block(wanted, { ...options, offline: true }))
    if (bytes === undefined) throw new ContentUnavailableError(`${node.name} has no block ${wanted}`)
    return bytes
  }
  let passed = 0
  for await (const { data } of walkFile(cid, fetch, { size, window: new Window(0), signal })) {
    passed += data.length
    if (passed > given) return
  }
}
