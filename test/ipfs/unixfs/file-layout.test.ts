import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'
import type { CID } from 'multiformats/cid'
import { chunkHashesOf, layoutFile } from '../../../src/ipfs/unixfs/file-layout.ts'
import { CHUNK_SIZE } from '../../../src/storage/object-store.ts'

interface Imported {
  readonly root: CID
  readonly blocks: Map<string, Uint8Array>
}

/** What `ipfs add --cid-version=1 --raw-leaves --chunker=size-1048576 --max-file-links=1024` gives. */
async function importFile(content: AsyncIterable<Uint8Array> | Uint8Array): Promise<Imported> {
  const blocks = new Map<string, Uint8Array>()
  const put = (cid: CID, bytes: Uint8Array): CID => {
    if (cid.code !== 0x55) blocks.set(cid.toString(), bytes)
    return cid
  }
  let root: CID | undefined
  const options = {
    cidVersion: 1 as const,
    rawLeaves: true,
    chunker: fixedSize({ chunkSize: CHUNK_SIZE }),
    layout: balanced({ maxChildrenPerNode: 1024 }),
  }
  for await (const { cid } of importer([{ content }], { put } as never, options)) root = cid
  assert.ok(root !== undefined)
  return { root, blocks }
}

async function* repeated(chunk: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let left = size; left > 0; left -= chunk.length) yield chunk.subarray(0, Math.min(left, chunk.length))
}

function repeatedHashes(chunk: Uint8Array, size: number): Uint8Array {
  const whole = chunkHashesOf(chunk)
  const hashes = Buffer.concat(Array.from({ length: Math.floor(size / CHUNK_SIZE) }, () => whole))
  return Buffer.concat([hashes, chunkHashesOf(chunk.subarray(0, size % CHUNK_SIZE))])
}

describe('layout of a file', () => {
  const MiB = CHUNK_SIZE
  for (const size of [0, 1, 1000, MiB - 1, MiB, MiB + 1, 2 * MiB, 5 * MiB + 77]) {
    it(`of ${size} bytes equals the importer's`, async () => {
      const content = createHash('shake256', { outputLength: size || 1 }).update(String(size)).digest().subarray(0, size)
      const expected = await importFile(content)
      const layout = layoutFile(chunkHashesOf(content), size)
      assert.equal(layout.root.toString(), expected.root.toString())
      assert.deepEqual(new Map(layout.nodes.map(({ cid, bytes }) => [cid.toString(), Buffer.from(bytes)])), buffers(expected.blocks))
      assert.equal(layout.nodes.length === 0, size <= MiB)
    })
  }

  for (const size of [1023 * MiB + 5, 1024 * MiB, 1024 * MiB + 1]) {
    it(`of ${size} bytes, in several levels, equals the importer's`, async () => {
      const chunk = Buffer.alloc(MiB, 7)
      const expected = await importFile(repeated(chunk, size))
      const layout = layoutFile(repeatedHashes(chunk, size), size)
      assert.equal(layout.root.toString(), expected.root.toString())
      for (const { cid, bytes } of layout.nodes) assert.deepEqual(Buffer.from(bytes), Buffer.from(expected.blocks.get(cid.toString()) ?? []))
    })
  }

  // The importer writes sizes between 2 and 4 GiB wrong, so Kubo 0.43 was asked: `ipfs add -n --cid-version=1 --raw-leaves
  // --chunker=size-1048576 --max-file-links=1024 --trickle=false` of as many bytes 7.
  const kubo: [number, string][] = [
    [2050 * MiB - 3, 'bafybeigjovlhz4lnc5oyftkkll77fptyj3zxrd4nxkctyl6t2jt7dtatee'],
    [4096 * MiB - 1, 'bafybeiftz53lf3l3pzk73u6fshsxg6xiah5afx5qcl64oqsgu5inb3hjvi'],
    [6500 * MiB + 3, 'bafybeifbukttknakqaacrfwpzwofyvkgwkkp5w4aiesmvmwdlvyltdov34'],
  ]
  for (const [size, root] of kubo) {
    it(`of ${size} bytes equals Kubo's`, () => {
      assert.equal(layoutFile(repeatedHashes(Buffer.alloc(MiB, 7), size), size).root.toString(), root)
    })
  }

  it('refuses hashes that do not fit the size', () => {
    assert.throws(() => layoutFile(new Uint8Array(32), MiB + 1), RangeError)
  })
})

function buffers(blocks: ReadonlyMap<string, Uint8Array>): Map<string, Buffer> {
  return new Map([...blocks].map(([key, bytes]) => [key, Buffer.from(bytes)]))
}
