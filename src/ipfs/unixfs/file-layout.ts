import { encode, prepare, type PBLink } from '@ipld/dag-pb'
import { varint } from 'multiformats'
import type { CID } from 'multiformats/cid'
import { CHUNK_SIZE } from '../../storage/object-store.ts'
import { cidOf, DAG_PB, RAW, sha256, type Block } from './block.ts'

const HASH_SIZE = 32
/** `unixfs-v1-2025` (IPIP-499). */
export const MAX_LINKS: number = 1024

export interface FileLayout {
  readonly root: CID
  /** The nodes above the leaves, the root last; none where the file is one leaf. */
  readonly nodes: readonly Block[]
  /** Bytes of the whole DAG: what a link to the root says. */
  readonly dagSize: number
}

interface Child {
  readonly cid: CID
  /** Bytes of the file that are below it. */
  readonly size: number
  /** Bytes of all blocks that are below it, and its own. */
  readonly dagSize: number
}

/** Lays out a file under the profile `unixfs-v1-2025` from the sha2-256 of each of its chunks, 32 bytes each. */
export function layoutFile(hashes: Uint8Array, size: number): FileLayout {
  if (hashes.length !== Math.ceil(size / CHUNK_SIZE) * HASH_SIZE) throw new RangeError(`${hashes.length} bytes of hashes for ${size} bytes`)
  const nodes: Block[] = []
  let level = leaves(hashes, size)
  while (level.length > 1) {
    const parents: Child[] = []
    for (let i = 0; i < level.length; i += MAX_LINKS) parents.push(parent(level.slice(i, i + MAX_LINKS), nodes))
    level = parents
  }
  const root = level[0] ?? { cid: cidOf(RAW, sha256(new Uint8Array())), dagSize: 0 }
  return { root: root.cid, nodes, dagSize: root.dagSize }
}

/** The sha2-256 of every chunk of a small file. */
export function chunkHashesOf(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([...chunksOf(bytes)].map(sha256))
}

export function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += CHUNK_SIZE) yield bytes.subarray(i, i + CHUNK_SIZE)
}

function leaves(hashes: Uint8Array, size: number): Child[] {
  return Array.from({ length: hashes.length / HASH_SIZE }, (_, i) => {
    const length = Math.min(CHUNK_SIZE, size - i * CHUNK_SIZE)
    return { cid: cidOf(RAW, hashes.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE)), size: length, dagSize: length }
  })
}

function parent(children: readonly Child[], nodes: Block[]): Child {
  const size = sum(children, 'size')
  const links: PBLink[] = children.map(({ cid, dagSize }) => ({ Hash: cid, Name: '', Tsize: dagSize }))
  const bytes = encode(prepare({ Data: fileData(size, children), Links: links }))
  const cid = cidOf(DAG_PB, sha256(bytes))
  nodes.push({ cid, bytes })
  return { cid, size, dagSize: bytes.length + sum(children, 'dagSize') }
}

/** Tags of UnixFS's `Data` message, and the type of a file. */
const TYPE = 0x08
const FILE = 2
const FILE_SIZE = 0x18
const BLOCK_SIZE = 0x20

/** By hand: `marshal` of ipfs-unixfs 13.1.1 writes sizes from 2 to 4 GiB (2³¹ to 2³² − 1) with bytes of stale memory in them. */
function fileData(size: number, children: readonly Child[]): Uint8Array {
  const fields: [number, number][] = [[TYPE, FILE], [FILE_SIZE, size], ...children.map((child): [number, number] => [BLOCK_SIZE, child.size])]
  const bytes = new Uint8Array(fields.reduce((length, [, value]) => length + 1 + varint.encodingLength(value), 0))
  let at = 0
  for (const [tag, value] of fields) {
    bytes[at] = tag
    varint.encodeTo(value, bytes, at + 1)
    at += 1 + varint.encodingLength(value)
  }
  return bytes
}

function sum(children: readonly Child[], key: 'size' | 'dagSize'): number {
  return children.reduce((total, child) => total + child[key], 0)
}
