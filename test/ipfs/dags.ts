import assert from 'node:assert/strict'
import { importer, type ImporterOptions } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced, trickle } from 'ipfs-unixfs-importer/layout'
import type { CID } from 'multiformats/cid'
import { cidOf, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { chunkHashesOf, chunksOf, layoutFile } from '../../src/ipfs/unixfs/file-layout.ts'
import { Blocks } from './gateway-server.ts'

export interface LaidOutContent {
  readonly root: CID
  readonly blocks: Blocks
  readonly cids: readonly CID[]
}

async function importFile(content: Uint8Array, options: ImporterOptions): Promise<LaidOutContent> {
  const blocks = new Blocks()
  const cids: CID[] = []
  const put = (cid: CID, bytes: Uint8Array): CID => {
    cids.push(cid)
    return blocks.put(cid, bytes)
  }
  let root: CID | undefined
  for await (const { cid } of importer([{ content }], { put } as never, options)) root = cid
  assert.ok(root !== undefined)
  return { root, blocks, cids }
}

export function profile(content: Uint8Array, blocks: Blocks = new Blocks()): LaidOutContent {
  const { root, nodes } = layoutFile(chunkHashesOf(content), content.length)
  const leaves = content.length === 0 ? [content] : [...chunksOf(content)]
  const cids = [...leaves.map((bytes) => blocks.put(cidOf(RAW, sha256(bytes)), bytes)), ...nodes.map(({ cid, bytes }) => blocks.put(cid, bytes))]
  return { root, blocks, cids }
}

const KUBO: ImporterOptions = {
  cidVersion: 0, rawLeaves: false, chunker: fixedSize({ chunkSize: 262_144 }), layout: balanced({ maxChildrenPerNode: 174 }),
}

/** Files as others lay them out. */
export const DAGS: Record<string, (content: Uint8Array) => Promise<LaidOutContent>> = {
  'of our profile': async (content) => profile(content),
  "of Kubo's defaults": (content) => importFile(content, KUBO),
  'of several levels of small nodes': (content) => importFile(content, { ...KUBO, chunker: fixedSize({ chunkSize: 20_000 }), layout: balanced({ maxChildrenPerNode: 5 }) }),
  'of a trickle': async (content) => {
    const { root, blocks, cids } = await importFile(content, { ...KUBO, leafType: 'raw', reduceSingleLeafToSelf: false, layout: trickle({ maxChildrenPerNode: 4, layerRepeat: 2 }) })
    // The importer leaves a leaf that no node links to.
    return { root, blocks, cids: content.length === 0 ? [root] : cids }
  },
}
