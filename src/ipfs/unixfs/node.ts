import { decode, type PBNode } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import { VerificationError } from '../errors.ts'
import { DAG_PB, RAW, type Block } from './block.ts'

/** Bytes of the file that the block itself carries. */
export interface Slice {
  /** In the block, in bytes. */
  readonly offset: number
  /** In bytes. */
  readonly length: number
}

export interface FileLink {
  readonly cid: CID
  /** Bytes of the file that the node claims to be below the link. */
  readonly size: number
}

export interface DirectoryLink {
  readonly name: string
  readonly cid: CID
}

export type FileNode = { readonly kind: 'file'; readonly data: Slice; readonly links: readonly FileLink[] }
export type DirectoryNode = { readonly kind: 'directory'; readonly links: readonly DirectoryLink[] }

/**
 * Reads a block as UnixFS: a file (a leaf or a node above leaves, raw or dag-pb, of any layout) or a directory.
 *
 * @throws VerificationError when it is neither, or not well-formed
 */
export function decodeNode({ cid, bytes }: Block): FileNode | DirectoryNode {
  if (cid.code === RAW) return { kind: 'file', data: { offset: 0, length: bytes.length }, links: [] }
  if (cid.code !== DAG_PB) throw new VerificationError(`block ${cid} is neither raw nor dag-pb`)
  const { node, unixfs } = decodeDagPb(cid, bytes)
  switch (unixfs.type) {
    case 'file':
    case 'raw':
      return { kind: 'file', data: sliceOf(bytes, unixfs.data), links: fileLinks(cid, node, unixfs) }
    case 'directory':
      return { kind: 'directory', links: node.Links.map(({ Name = '', Hash }) => ({ name: Name, cid: Hash })) }
    default:
      throw new VerificationError(`block ${cid} is a ${unixfs.type}, which is not supported`)
  }
}

function decodeDagPb(cid: CID, bytes: Uint8Array): { node: PBNode; unixfs: UnixFS } {
  try {
    const node = decode(bytes)
    if (node.Data === undefined) throw new Error('no data')
    return { node, unixfs: UnixFS.unmarshal(node.Data) }
  } catch (cause) {
    throw new VerificationError(`block ${cid} is not UnixFS`, { cause })
  }
}

function fileLinks(cid: CID, { Links }: PBNode, { blockSizes }: UnixFS): FileLink[] {
  if (Links.length !== blockSizes.length) throw new VerificationError(`block ${cid} has ${Links.length} links and ${blockSizes.length} sizes`)
  return Links.map(({ Hash }, index) => {
    const size = Number(blockSizes[index])
    if (!Number.isSafeInteger(size)) throw new VerificationError(`block ${cid} claims a size that is none`)
    return { cid: Hash, size }
  })
}

/** The decoders hand out views of the block, so that where the data stands in it can be told. */
function sliceOf(bytes: Uint8Array, data: Uint8Array | undefined): Slice {
  if (data === undefined || data.length === 0) return { offset: bytes.length, length: 0 }
  const offset = data.buffer === bytes.buffer ? data.byteOffset - bytes.byteOffset : Buffer.from(bytes).indexOf(data)
  return { offset, length: data.length }
}
