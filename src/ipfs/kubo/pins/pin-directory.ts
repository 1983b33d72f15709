import { encode, prepare } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import { cidOf, DAG_PB, sha256, type Block } from '../../unixfs/block.ts'

/** A directory that links an image's repository (`repository`) and every blob (by its CID): who pins it has all of the image. */
export function pinDirectory(repository: CID, blobs: readonly CID[]): Uint8Array {
  const named = new Map(blobs.map((cid) => [cid.toString(), cid]))
  const links = [['repository', repository] as const, ...named].map(([Name, Hash]) => ({ Name, Hash, Tsize: 0 }))
  return encode(prepare({ Data: new UnixFS({ type: 'directory' }).marshal(), Links: links }))
}

export function directoryBlock(bytes: Uint8Array): Block {
  return { cid: cidOf(DAG_PB, sha256(bytes)), bytes }
}
