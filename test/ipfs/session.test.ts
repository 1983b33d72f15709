import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { describe, it, type TestContext } from 'node:test'
import { CarBlockIterator } from '@ipld/car'
import { CID } from 'multiformats/cid'
import type { BlockSource } from '../../src/ipfs/block-source.ts'
import { EmbeddedSession } from '../../src/ipfs/embedded/session.ts'
import { ContentUnavailableError } from '../../src/ipfs/errors.ts'
import { CombinedSource } from '../../src/ipfs/gateway/combined-source.ts'
import { GatewayPeer } from '../../src/ipfs/gateway/gateway-peer.ts'
import type { BlockReader, FileFetch, WantedFile } from '../../src/ipfs/node.ts'
import { cidOf, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { chunksOf } from '../../src/ipfs/unixfs/file-layout.ts'
import { layoutTree } from '../../src/ipfs/unixfs/tree-layout.ts'
import { digestOf, parseDigest } from '../../src/oci/digest.ts'
import { collect, fill } from '../contract/bytes.ts'
import { DAGS, profile } from './dags.ts'
import { Blocks, serveBlocks, silent } from './gateway-server.ts'
import { openIndexed, type IndexedStore } from './indexed-store.ts'

const LIMITS = { bytes: 10_000_000, files: 1000, depth: 10 }
const CONTENT = fill(5_300_000)

function sessionOver(root: CID, source: BlockSource, target: IndexedStore): EmbeddedSession {
  return new EmbeddedSession(root, { source, store: target.store, index: target.index, log: silent })
}

async function gatewaySource(t: TestContext, blocks: BlockReader): Promise<BlockSource> {
  const { url } = await serveBlocks(t, blocks)
  return new CombinedSource({ peers: [new GatewayPeer(url)], log: silent })
}

function wanted(cid: CID, content: Uint8Array, path = 'blobs/x/data'): WantedFile {
  return { cid, digest: digestOf(content), size: content.length, path }
}

async function commit({ store }: IndexedStore, fetch: FileFetch, { path, digest }: WantedFile): Promise<void> {
  const { upload } = await fetch.done
  if (upload !== undefined) await store.commit({ uploads: [{ id: upload, path, digest }] })
}

async function isServed({ index }: IndexedStore, source: BlockReader, cids: readonly CID[]): Promise<void> {
  for (const cid of cids) {
    const expected = await source.get(cid)
    assert.equal(Buffer.compare((await index.blocks.get(cid)) ?? assert.fail(`no ${cid}`), expected ?? assert.fail()), 0, String(cid))
  }
}

describe('session', () => {
  for (const [name, lay] of Object.entries(DAGS)) {
    for (const size of [0, 1, 300_000, CONTENT.length]) {
      it(`fetches a file of ${size} bytes from a DAG ${name}, and serves it again`, async (t) => {
        const content = CONTENT.subarray(0, size)
        const { root, blocks, cids } = await lay(content)
        const target = await openIndexed(t)
        const session = sessionOver(root, await gatewaySource(t, blocks), target)
        const file = wanted(root, content)
        const fetch = session.fetch(file)
        assert.equal(session.fetch(file), fetch)
        assert.equal(Buffer.compare(await collect(fetch.read({})), content), 0)
        assert.equal(Buffer.compare(await collect(fetch.read({ start: 100_000, length: 50_000 })), content.subarray(100_000, 150_000)), 0)
        await fetch.done
        await session.keep()
        assert.equal(await target.index.blocks.has(root), false)
        await commit(target, fetch, file)
        assert.equal(Buffer.compare(await collect(fetch.read({ start: 7 })), content.subarray(7)), 0)
        await session.close()
        assert.equal(Buffer.compare((await target.store.get(file.path)) ?? fill(1), content), 0)
        await isServed(target, blocks, cids)
        assert.deepEqual(await target.store.uploads.list(), [])
        const known = target.index.blocks.root(file.path)
        assert.ok(known === undefined || CID.decode(known).equals(root))
        if (name === 'of our profile') assert.ok(known !== undefined)
        assert.equal(String(await target.index.file(file.path)), String(profile(content).root))
      })
    }

    it(`fetches only what it does not know of an object that is here, of a DAG ${name}`, async (t) => {
      const { root, blocks, cids } = await lay(CONTENT)
      const target = await openIndexed(t)
      const file = wanted(root, CONTENT)
      await target.store.commit({ changes: [{ put: file.path, data: CONTENT }] })
      const session = sessionOver(root, await gatewaySource(t, blocks), target)
      const fetch = session.fetch(file)
      assert.equal(Buffer.compare(await collect(fetch.read({ start: 1 })), CONTENT.subarray(1)), 0)
      assert.equal((await fetch.done).upload, undefined)
      await session.keep()
      await session.close()
      await isServed(target, blocks, cids)
    })
  }

  it('takes a tree, keeps its blocks and gives them on', async (t) => {
    const tree = new Map([['disco.json', fill(400)], ['a/b/c', fill(71)], ['a/b/d', fill(0)]])
    const { root, blocks: all } = layoutTree(tree)
    const blocks = new Blocks()
    for (const { cid, bytes } of all) blocks.put(cid, bytes)
    const target = await openIndexed(t)
    const session = sessionOver(root, await gatewaySource(t, blocks), target)
    const got = await session.tree(LIMITS)
    assert.deepEqual(new Map([...got].map(([path, bytes]) => [path, Buffer.from(bytes)])), new Map([...tree].map(([path, bytes]) => [path, Buffer.from(bytes)])))
    assert.equal(await target.index.blocks.has(root), false)
    await session.keep()
    await isServed(target, blocks, all.map(({ cid }) => cid))
    await session.close()
  })

  it('clones an image that the original Disco made, whose CIDs stay as they are', async (t) => {
    const blocks = new Blocks()
    const car = await open(new URL('../fixtures/go-disco/one-node.car', import.meta.url))
    for await (const { cid, bytes } of await CarBlockIterator.fromIterable(car.createReadStream())) blocks.put(cid, bytes)
    const root = CID.parse('bafybeieq3whadirvwzn6blqncqnvr56hdw5bloa3oajtrcrzynctzerrqy')
    const target = await openIndexed(t)
    const session = sessionOver(root, await gatewaySource(t, blocks), target)
    const tree = await session.tree(LIMITS)
    const { blobs } = JSON.parse(Buffer.from(tree.get('disco.json') ?? []).toString()) as { blobs: { digest: string; cid: string }[] }
    assert.equal(blobs.length, 4)
    const files = blobs.map((blob): WantedFile => ({
      cid: CID.parse(blob.cid), digest: parseDigest(`sha256:${blob.digest}`) ?? assert.fail(), size: { atMost: 10_000_000 }, path: `blobs/${blob.digest}/data`,
    }))
    const fetches = files.map((file) => session.fetch(file))
    await Promise.all(fetches.map(({ done }) => done))
    await session.keep()
    for (const [index, file] of files.entries()) await commit(target, fetches[index] ?? assert.fail(), file)
    await session.close()
    for (const { path, digest, cid } of files) {
      assert.deepEqual(digestOf((await target.store.get(path)) ?? fill(1)), digest)
      await isServed(target, blocks, [cid])
    }
    // From the clone, everything again.
    const second = await openIndexed(t)
    const again = sessionOver(root, await gatewaySource(t, target.index.blocks), second)
    await again.tree(LIMITS)
    await Promise.all(files.map((file) => again.fetch(file).done))
    await again.close()
  })

  it('streams what has arrived, and the last of it only when all is verified', async (t) => {
    const { root, blocks } = profile(CONTENT)
    const last = cidOf(RAW, sha256([...chunksOf(CONTENT)].at(-1) ?? fill(0)))
    const held = Promise.withResolvers<void>()
    const source = await gatewaySource(t, {
      has: (cid) => blocks.has(cid),
      async get(cid) {
        if (cid.equals(last)) await held.promise
        return blocks.get(cid)
      },
    })
    const target = await openIndexed(t)
    const session = sessionOver(root, source, target)
    const fetch = session.fetch(wanted(root, CONTENT))
    const early = await collect(fetch.read({ length: 3_000_000 }))
    assert.equal(Buffer.compare(early, CONTENT.subarray(0, 3_000_000)), 0)
    const rest = collect(fetch.read({ start: 4_000_000 }))
    const aborted = fetch.read({ start: 5_299_999 }, { signal: AbortSignal.timeout(50) })
    await assert.rejects(collect(aborted), { name: 'TimeoutError' })
    held.resolve()
    assert.equal(Buffer.compare(await rest, CONTENT.subarray(4_000_000)), 0)
    await session.close()
  })

  it('leaves nothing when it is closed on the way', async (t) => {
    const { root, blocks } = profile(CONTENT)
    const source = await gatewaySource(t, { has: (cid) => blocks.has(cid), get: (cid) => (cid.equals(root) ? blocks.get(cid) : new Promise(() => {})) })
    const target = await openIndexed(t)
    const session = sessionOver(root, source, target)
    const fetch = session.fetch(wanted(root, CONTENT))
    const reading = collect(fetch.read({}))
    reading.catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal((await target.store.uploads.list()).length, 1)
    await session.close()
    await assert.rejects(reading, /closed/)
    await assert.rejects(fetch.done, /closed/)
    assert.deepEqual(await target.store.uploads.list(), [])
  })

  it('tells when a block is missing, and tries anew when asked again', async (t) => {
    const { root, blocks, cids } = profile(CONTENT)
    const gone = cids[2] ?? assert.fail()
    const bytes = (await blocks.get(gone)) ?? assert.fail()
    blocks.delete(gone)
    const target = await openIndexed(t)
    const session = sessionOver(root, await gatewaySource(t, blocks), target)
    await assert.rejects(session.fetch(wanted(root, CONTENT)).done, ContentUnavailableError)
    blocks.put(gone, bytes)
    await session.fetch(wanted(root, CONTENT)).done
    await session.close()
    assert.deepEqual(await target.store.uploads.list(), [])
  })
})
