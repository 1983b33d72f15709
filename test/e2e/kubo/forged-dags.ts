import { encode, prepare, type PBLink } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { encodeCar } from '../../../src/ipfs/car.ts'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import { cidOf, DAG_PB, RAW, sha256, type Block } from '../../../src/ipfs/unixfs/block.ts'
import type { Kubo } from '../harness/kubo.ts'
import { each } from './network-checks.ts'

const MEBIBYTE = 1024 * 1024

export async function addBy(kubo: Kubo, content: Uint8Array, options: readonly string[]): Promise<CID> {
  const node = new KuboNode(kubo.url)
  try {
    const named = Object.fromEntries(options.map((option) => {
      const [name = '', value = true] = option.slice(2).split('=')
      return [name, value]
    }))
    const { Hash } = await node.rpc.json<{ Hash: string }>('add', { pin: false, progress: false, ...named }, { body: each([content]) })
    return CID.parse(Hash)
  } finally {
    node.close()
  }
}

export async function importDag(node: KuboNode, blocks: readonly Block[]): Promise<CID> {
  const root = blocks.at(-1)?.cid
  if (root === undefined) throw new Error('no blocks')
  await node.importCar(encodeCar(root, each(blocks)))
  return root
}

export function leaf(size: number): Block {
  const bytes = createHash('sha512').update(String(size)).digest().subarray(0, Math.min(64, size))
  const padded = Buffer.concat([bytes, Buffer.alloc(size - bytes.length, 1)])
  return { cid: cidOf(RAW, sha256(padded)), bytes: padded }
}

export function node(unixfs: UnixFS, children: readonly CID[], names: readonly string[] = []): Block {
  const links: PBLink[] = children.map((Hash, index) => ({ Name: names[index] ?? '', Hash, Tsize: 1 }))
  const bytes = encode(prepare({ Data: unixfs.marshal(), Links: links }))
  return { cid: cidOf(DAG_PB, sha256(bytes)), bytes }
}

export function file(children: readonly (readonly [Block, number])[]): Block {
  return node(new UnixFS({ type: 'file', blockSizes: children.map(([, size]) => BigInt(size)) }), children.map(([block]) => block.cid))
}

export function directory(entries: Record<string, Block>): Block {
  return node(new UnixFS({ type: 'directory' }), Object.values(entries).map(({ cid }) => cid), Object.keys(entries))
}

/** Each leaf has one byte of the file, and a MiB of nothing after it: a field that UnixFS does not have. */
export function padded(leaves: number): Block[] {
  const blocks = Array.from({ length: leaves }, (_, index) => {
    const data = new UnixFS({ type: 'file', data: Buffer.from('x') }).marshal()
    const padding = Buffer.concat([Buffer.from([0xfa, 0x01, 0x80, 0x80, 0x40]), Buffer.alloc(MEBIBYTE, index)])
    const bytes = encode(prepare({ Data: Buffer.concat([data, padding]), Links: [] }))
    return { cid: cidOf(DAG_PB, sha256(bytes)), bytes }
  })
  return [...blocks, file(blocks.map((block) => [block, 1] as const))]
}

/** Few blocks, and more ways through them than anybody can go. Only the root says how many bytes there are. */
export function endless(depth: number): Block[] {
  const blocks = [node(new UnixFS({ type: 'file' }), [])]
  for (let i = 1; i < depth; i++) {
    const below = blocks.at(-1)
    if (below !== undefined) blocks.push(file([[below, 0], [below, 0]]))
  }
  const below = blocks.at(-1)
  return below === undefined ? blocks : [...blocks, file([[below, 8]])]
}
