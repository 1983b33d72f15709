import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { encode, prepare, type PBLink } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import { EmbeddedSession } from '../../src/ipfs/embedded/session.ts'
import { VerificationError } from '../../src/ipfs/errors.ts'
import { CombinedSource } from '../../src/ipfs/gateway/combined-source.ts'
import { GatewayPeer } from '../../src/ipfs/gateway/gateway-peer.ts'
import { cidOf, DAG_PB, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { chunkHashesOf, chunksOf, layoutFile } from '../../src/ipfs/unixfs/file-layout.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { collect, fill } from '../contract/bytes.ts'
import { Blocks, serveBlocks, silent } from './gateway-server.ts'
import { openIndexed, type IndexedStore } from './indexed-store.ts'

const MiB = 1024 * 1024
const LIMITS = { bytes: 1_000_000, files: 100, depth: 8 }
const CONTENT = fill(3 * MiB)

interface Attack {
  readonly session: EmbeddedSession
  readonly target: IndexedStore
  /** Requests that the peer has seen. */
  readonly asked: () => number
}

async function attack(t: TestContext, root: CID, blocks: Blocks): Promise<Attack> {
  const target = await openIndexed(t)
  const { url, server } = await serveBlocks(t, blocks)
  let asked = 0
  server.on('request', () => asked++)
  const source = new CombinedSource({ peers: [new GatewayPeer(url)], log: silent })
  return { target, asked: () => asked, session: new EmbeddedSession(root, { source, store: target.store, index: target.index, log: silent }) }
}

function wanted(cid: CID, content: Uint8Array): Parameters<EmbeddedSession['fetch']>[0] {
  return { cid, digest: digestOf(content), size: content.length, path: 'blobs/x/data' }
}

/** The fetch fails as unverified, no reader gets to the end, and nothing of it is stored, kept or served. */
async function comesToNothing({ session, target }: Attack, file: ReturnType<typeof wanted>): Promise<void> {
  const fetch = session.fetch(file)
  const reading = collect(fetch.read({}))
  await assert.rejects(reading, VerificationError)
  await assert.rejects(fetch.done, VerificationError)
  await session.keep()
  await session.close()
  assert.deepEqual(await target.store.uploads.list(), [])
  await target.store.commit({ changes: [{ put: file.path, data: CONTENT }] })
  assert.equal(await target.index.blocks.has(file.cid), false)
}

function node(blocks: Blocks, type: 'file' | 'directory', links: PBLink[], sizes: readonly number[] = [], data?: Uint8Array): CID {
  const unixfs = new UnixFS({ type, blockSizes: sizes.map(BigInt), ...(data === undefined ? {} : { data }) })
  const bytes = encode(prepare({ Data: unixfs.marshal(), Links: links }))
  return blocks.put(cidOf(DAG_PB, sha256(bytes)), bytes)
}

function raw(blocks: Blocks, bytes: Uint8Array): CID {
  return blocks.put(cidOf(RAW, sha256(bytes)), bytes)
}

function honest(content: Uint8Array): { root: CID; blocks: Blocks } {
  const blocks = new Blocks()
  const { root, nodes } = layoutFile(chunkHashesOf(content), content.length)
  for (const bytes of chunksOf(content)) raw(blocks, bytes)
  for (const { cid, bytes } of nodes) blocks.put(cid, bytes)
  return { root, blocks }
}

describe('a lying peer', () => {
  it('that answers with a wrong block', async (t) => {
    const { root, blocks } = honest(CONTENT)
    blocks.put(cidOf(RAW, sha256(CONTENT.subarray(MiB, 2 * MiB))), fill(MiB, 9))
    await comesToNothing(await attack(t, root, blocks), wanted(root, CONTENT))
  })

  it('that answers with a block that never ends', async (t) => {
    const { root, blocks } = honest(CONTENT)
    blocks.put(root, Buffer.alloc(5 * MiB))
    await comesToNothing(await attack(t, root, blocks), wanted(root, CONTENT))
  })

  it('whose file is longer, or shorter, than was said', async (t) => {
    for (const other of [fill(3 * MiB + 1), fill(3 * MiB - 1), fill(1), fill(0)]) {
      const { root, blocks } = honest(other)
      if (other.length === 0) raw(blocks, other)
      const attacked = await attack(t, root, blocks)
      await comesToNothing(attacked, wanted(root, CONTENT))
      assert.ok(attacked.asked() <= 1, 'found out at the root')
    }
  })

  it('whose file has another digest', async (t) => {
    const { root, blocks } = honest(fill(3 * MiB, 2))
    await comesToNothing(await attack(t, root, blocks), wanted(root, CONTENT))
  })

  it('whose small file has another digest: not one byte of it is given', async (t) => {
    const { root, blocks } = honest(fill(1000, 2))
    const { session } = await attack(t, root, blocks)
    let given = 0
    await assert.rejects(async () => {
      for await (const chunk of session.fetch(wanted(root, fill(1000))).read({})) given += chunk.length
    }, VerificationError)
    assert.equal(given, 0)
    await session.close()
  })

  it('whose leaves are not as long as their node claims', async (t) => {
    const blocks = new Blocks()
    const [a, b] = [raw(blocks, fill(2 * MiB)), raw(blocks, fill(MiB, 2))]
    const root = node(blocks, 'file', [{ Hash: a, Name: '', Tsize: 1 }, { Hash: b, Name: '', Tsize: 1 }], [MiB, 2 * MiB])
    await comesToNothing(await attack(t, root, blocks), wanted(root, CONTENT))
  })

  it('whose nodes have more links than sizes', async (t) => {
    const blocks = new Blocks()
    const link = { Hash: raw(blocks, CONTENT.subarray(0, MiB)), Name: '', Tsize: 1 }
    const root = node(blocks, 'file', [link, link, link], [3 * MiB])
    await comesToNothing(await attack(t, root, blocks), wanted(root, CONTENT))
  })

  it('whose DAG goes deeper and deeper', async (t) => {
    for (const size of [0, CONTENT.length]) {
      const blocks = new Blocks()
      let root = raw(blocks, CONTENT)
      for (let i = 0; i < 2000; i++) root = node(blocks, 'file', [{ Hash: root, Name: String(i), Tsize: 1 }], [size], size === 0 && i === 1999 ? CONTENT.subarray(0, MiB) : undefined)
      const attacked = await attack(t, root, blocks)
      await comesToNothing(attacked, { ...wanted(root, CONTENT), size: size === 0 ? MiB : size })
      assert.ok(attacked.asked() < 100, `${attacked.asked()} blocks`)
    }
  })

  it('whose DAG is of empty nodes, more and more of them', async (t) => {
    const blocks = new Blocks()
    let links: PBLink[] = [{ Hash: raw(blocks, CONTENT.subarray(0, MiB)), Name: '', Tsize: 1 }]
    for (let i = 0; i < 4; i++) {
      const below = links
      links = Array.from({ length: 30 }, (_, j) => ({ Hash: node(blocks, 'file', below.map((link) => ({ ...link, Name: `${i}-${j}` })), below.map(() => 0)), Name: '', Tsize: 1 }))
    }
    const root = node(blocks, 'file', links, links.map(() => 0), CONTENT.subarray(0, 1))
    const attacked = await attack(t, root, blocks)
    await comesToNothing(attacked, { ...wanted(root, CONTENT), size: 1 })
    assert.ok(attacked.asked() < 400, `${attacked.asked()} blocks`)
  })

  it('whose file is a directory, or whose directory is a file', async (t) => {
    const blocks = new Blocks()
    const directory = node(blocks, 'directory', [])
    await comesToNothing(await attack(t, directory, blocks), wanted(directory, CONTENT))
    const file = raw(blocks, fill(3))
    const { session } = await attack(t, file, blocks)
    await assert.rejects(session.tree(LIMITS), VerificationError)
    await session.close()
  })

  async function refusesTree(t: TestContext, blocks: Blocks, root: CID, most = Infinity): Promise<void> {
    const { session, target, asked } = await attack(t, root, blocks)
    await assert.rejects(session.tree(LIMITS), VerificationError)
    assert.ok(asked() <= most, `${asked()} blocks`)
    await session.keep()
    await session.close()
    assert.equal(await target.index.blocks.has(root), false)
  }

  for (const name of ['', '.', '..', 'a/b', '/', 'a\0']) {
    it(`whose tree has the name ${JSON.stringify(name)}`, async (t) => {
      const blocks = new Blocks()
      await refusesTree(t, blocks, node(blocks, 'directory', [{ Hash: raw(blocks, fill(1)), Name: name, Tsize: 1 }]))
    })
  }

  it('whose tree has a name twice', async (t) => {
    const blocks = new Blocks()
    const link = { Hash: raw(blocks, fill(1)), Name: 'a', Tsize: 1 }
    await refusesTree(t, blocks, node(blocks, 'directory', [link, link]))
  })

  it('whose tree is deep', async (t) => {
    const blocks = new Blocks()
    let root = raw(blocks, fill(1))
    for (let i = 0; i < 1000; i++) root = node(blocks, 'directory', [{ Hash: root, Name: 'a', Tsize: 1 }])
    await refusesTree(t, blocks, root, 20)
  })

  it('whose tree unfolds without end', async (t) => {
    const blocks = new Blocks()
    let root = raw(blocks, fill(1))
    for (let i = 0; i < 8; i++) root = node(blocks, 'directory', Array.from({ length: 50 }, (_, j) => ({ Hash: root, Name: `n${j}`, Tsize: 1 })))
    await refusesTree(t, blocks, root, 20)
  })

  it('whose tree has too many files, or too many bytes', async (t) => {
    const many = new Blocks()
    await refusesTree(t, many, node(many, 'directory', Array.from({ length: 101 }, (_, i) => ({ Hash: raw(many, fill(i + 1)), Name: `f${i}`, Tsize: 1 }))))
    const large = new Blocks()
    await refusesTree(t, large, node(large, 'directory', Array.from({ length: 2 }, (_, i) => ({ Hash: raw(large, fill(600_000, i)), Name: `f${i}`, Tsize: 1 }))))
  })

  it('whose directory is sharded, which is not supported', async (t) => {
    const blocks = new Blocks()
    const bytes = encode(prepare({ Data: new UnixFS({ type: 'hamt-sharded-directory', fanout: 256n }).marshal(), Links: [] }))
    await refusesTree(t, blocks, blocks.put(cidOf(DAG_PB, sha256(bytes)), bytes))
  })
})
