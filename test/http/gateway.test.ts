import assert from 'node:assert/strict'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CarReader } from '@ipld/car'
import type { CID } from 'multiformats/cid'
import { BlockSlots } from '../../src/http/block-slots.ts'
import { createGateway } from '../../src/http/gateway.ts'
import { cidOf, DAG_PB, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { chunkHashesOf, chunksOf, layoutFile } from '../../src/ipfs/unixfs/file-layout.ts'
import { layoutTree } from '../../src/ipfs/unixfs/tree-layout.ts'
import type { Logger } from '../../src/telemetry/logger.ts'
import { fill } from '../contract/bytes.ts'
import { Blocks, serveBlocks, silent } from '../ipfs/gateway-server.ts'
import { startFace } from './harness.ts'

const FILE = fill(3_000_000)
const layout = layoutFile(chunkHashesOf(FILE), FILE.length)
const leaves = [...chunksOf(FILE)].map((bytes) => ({ cid: cidOf(RAW, sha256(bytes)), bytes }))
const tree = layoutTree(new Map([['a/b', fill(100)], ['a/c', fill(100)], ['d', FILE]]))
const blocks = new Blocks()
for (const { cid, bytes } of [...leaves, ...layout.nodes, ...tree.blocks]) blocks.put(cid, bytes)

const root = layout.root
const missing = cidOf(RAW, sha256(fill(5)))

describe('gateway', () => {
  async function ask(t: { after(close: () => Promise<void>): void }, path: string, init: RequestInit = {}): Promise<Response> {
    const { url } = await serveBlocks(t, blocks)
    return fetch(new URL(path, url), init)
  }

  async function carOf(response: Response): Promise<string[]> {
    assert.equal(response.status, 200)
    const reader = await CarReader.fromBytes(new Uint8Array(await response.arrayBuffer()))
    const cids: string[] = []
    for await (const { cid, bytes } of reader.blocks()) {
      assert.equal(Buffer.compare(sha256(bytes), cid.multihash.digest), 0)
      cids.push(cid.toString())
    }
    return cids
  }

  const text = (cids: readonly { cid: CID }[]): string[] => cids.map(({ cid }) => cid.toString())

  it('gives a raw block and says what it is', async (t) => {
    const response = await ask(t, `/ipfs/${root}?format=raw`)
    assert.equal(response.status, 200)
    assert.equal(Buffer.compare(new Uint8Array(await response.arrayBuffer()), layout.nodes.at(-1)?.bytes ?? fill(0)), 0)
    assert.equal(response.headers.get('content-type'), 'application/vnd.ipld.raw')
    assert.equal(response.headers.get('etag'), `"${root}.raw"`)
    assert.equal(response.headers.get('cache-control'), 'public, max-age=29030400, immutable')
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
    assert.equal(response.headers.get('content-disposition'), `attachment; filename="${root}.bin"`)
    assert.equal(response.headers.get('x-ipfs-path'), `/ipfs/${root}`)
    assert.equal(response.headers.get('accept-ranges'), 'none')
    assert.equal(response.headers.get('content-location'), null)
  })

  it('gives a raw block by Accept, and says where it is found without', async (t) => {
    const response = await ask(t, `/ipfs/${root}`, { headers: { accept: 'text/html;q=0.5, application/vnd.ipld.raw' } })
    assert.equal(response.headers.get('content-type'), 'application/vnd.ipld.raw')
    assert.equal(response.headers.get('content-location'), `/ipfs/${root}?format=raw`)
  })

  it('answers HEAD without a body', async (t) => {
    const response = await ask(t, `/ipfs/${root}?format=raw`, { method: 'HEAD' })
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('content-length'), String(layout.nodes.at(-1)?.bytes.length))
    assert.equal((await response.arrayBuffer()).byteLength, 0)
    assert.equal((await ask(t, `/ipfs/${missing}?format=raw`, { method: 'HEAD' })).status, 404)
  })

  it('answers 304 to who has it', async (t) => {
    assert.equal((await ask(t, `/ipfs/${root}?format=raw`, { headers: { 'if-none-match': `"x", W/"${root}.raw"` } })).status, 304)
  })

  const refused: [string, string, RequestInit, number][] = [
    ['a CID that is none', '/ipfs/nonsense?format=raw', {}, 400],
    ['a CID that would take long to read', `/ipfs/z${'5'.repeat(15_000)}?format=raw`, {}, 400],
    ['a path that is malformed', `/ipfs/${root}/%ff?format=car`, {}, 400],
    ['a raw block below a path', `/ipfs/${tree.root}/d?format=raw`, {}, 400],
    ['what is not here', `/ipfs/${missing}?format=raw`, {}, 404],
    ['a CAR of what is not here', `/ipfs/${missing}?format=car`, {}, 404],
    ['a name that is not there', `/ipfs/${tree.root}/a/x?format=car`, {}, 404],
    ['what is not here and only wanted from a cache', `/ipfs/${missing}?format=raw`, { headers: { 'cache-control': 'only-if-cached' } }, 412],
    ['deserialized answers', `/ipfs/${root}`, { headers: { accept: 'text/html,*/*' } }, 406],
    ['another format', `/ipfs/${root}?format=tar`, {}, 406],
    ['CAR version 2', `/ipfs/${root}?format=car&car-version=2`, {}, 400],
    ['an unknown scope', `/ipfs/${root}?format=car&dag-scope=most`, {}, 400],
    ['malformed entity-bytes', `/ipfs/${root}?format=car&entity-bytes=a:b`, {}, 400],
    ['writes', `/ipfs/${root}?format=raw`, { method: 'POST', body: 'x' }, 405],
  ]
  for (const [what, path, init, status] of refused) {
    it(`refuses ${what} with ${status}`, async (t) => {
      const response = await ask(t, path, init)
      assert.equal(response.status, status)
      assert.match(response.headers.get('content-type') ?? '', /^text\/plain/)
    })
  }

  it('refuses a request that names no format with 400', async (t) => {
    const { url } = await serveBlocks(t, blocks)
    const status = await new Promise((resolve) => httpGet(new URL(`/ipfs/${root}`, url), (response) => resolve(response.resume().statusCode)))
    assert.equal(status, 400)
  })

  it('can be probed by the empty identity CID', async (t) => {
    const response = await ask(t, '/ipfs/bafkqaaa?format=raw')
    assert.equal(response.status, 200)
    assert.equal((await response.arrayBuffer()).byteLength, 0)
    assert.deepEqual(await carOf(await ask(t, '/ipfs/bafkqaaa?format=car')), [])
  })

  it('gives a whole DAG as a CAR, depth first', async (t) => {
    const response = await ask(t, `/ipfs/${root}?format=car`)
    assert.equal(response.headers.get('content-type'), 'application/vnd.ipld.car; version=1; order=dfs; dups=n')
    assert.match(response.headers.get('etag') ?? '', /^"all\./)
    assert.deepEqual(await carOf(response), [root.toString(), ...text(leaves)])
  })

  it('gives one block, or the entity', async (t) => {
    assert.deepEqual(await carOf(await ask(t, `/ipfs/${root}?format=car&dag-scope=block`)), [root.toString()])
    assert.deepEqual(await carOf(await ask(t, `/ipfs/${root}?format=car&dag-scope=entity`)), [root.toString(), ...text(leaves)])
    assert.deepEqual(await carOf(await ask(t, `/ipfs/${tree.root}?format=car&dag-scope=entity`)), [tree.root.toString()])
  })

  it('gives the blocks of a path before what it leads to', async (t) => {
    assert.deepEqual(await carOf(await ask(t, `/ipfs/${tree.root}/d?format=car`)), [tree.root.toString(), root.toString(), ...text(leaves)])
  })

  it('repeats blocks only when asked to', async (t) => {
    const once = await carOf(await ask(t, `/ipfs/${tree.root}/a?format=car`))
    const again = await carOf(await ask(t, `/ipfs/${tree.root}/a?format=car`, { headers: { accept: 'application/vnd.ipld.car; dups=y' } }))
    assert.equal(once.length, 3)
    assert.equal(again.length, 4)
  })

  const ranges: [string, number[]][] = [
    ['0:*', [0, 1, 2]],
    ['0:0', [0]],
    ['1048575:1048576', [0, 1]],
    ['1048576:2097151', [1]],
    ['-1:*', [2]],
    ['2000000:-900000', [1, 2]],
    ['99999999:*', []],
    ['-99999999:5', [0]],
  ]
  for (const [range, expected] of ranges) {
    it(`gives what the bytes ${range} need`, async (t) => {
      const cids = await carOf(await ask(t, `/ipfs/${root}?format=car&entity-bytes=${range}`))
      assert.deepEqual(cids, [root.toString(), ...expected.map((index) => leaves[index]?.cid.toString())])
    })
  }

  it('names what is not here', async (t) => {
    const response = await ask(t, `/ipfs/${tree.root}/a/nothing?format=car`)
    assert.equal(response.status, 404)
    assert.equal(await response.text(), `not here: /ipfs/${tree.root}/a/nothing\n`)
  })

  it('cuts the stream when a block below is missing', async (t) => {
    const partial = new Blocks()
    for (const { cid, bytes } of [...layout.nodes, ...leaves.slice(0, 2)]) partial.put(cid, bytes)
    const { url } = await serveBlocks(t, partial)
    const response = await fetch(new URL(`/ipfs/${root}?format=car`, url))
    assert.equal(response.status, 200)
    await assert.rejects(response.arrayBuffer())
  })

  it('drops clients that read nothing once others wait for the memory, and refuses when too many wait', async (t) => {
    const large = fill(24 * 1024 * 1024)
    const cid = cidOf(RAW, sha256(large))
    const few = new Blocks()
    few.put(cid, large)
    const gateway = createGateway(few, new BlockSlots({ slots: 2, waiting: 1, turn: 400 }))
    const { base: server } = await startFace(t, () => ({ gateway }))
    const stalled = await Promise.all([1, 2].map(() => new Promise<IncomingMessage>((resolve) => httpGet(`${server}/ipfs/${cid}?format=raw`, { agent: false }, resolve))))
    const dropped = stalled.map((response) => new Promise((resolve) => response.on('error', resolve)))
    const waiting = fetch(`${server}/ipfs/${cid}?format=raw`)
    await sleep(50)
    const refused = await fetch(`${server}/ipfs/${cid}?format=raw`)
    assert.equal(refused.status, 503)
    assert.equal(refused.headers.get('retry-after'), '10')
    assert.equal(Buffer.compare(Buffer.from(await (await waiting).arrayBuffer()), large), 0)
    for (const response of stalled) response.resume()
    await Promise.race(dropped)
    assert.equal((await fetch(`${server}/ipfs/${cid}?format=raw`, { method: 'HEAD' })).status, 200)
  })

  it('is not made to log errors by who asks for what is not here, or not what its CID says, or leaves', async (t) => {
    const errors: unknown[] = []
    const log: Logger = { ...silent, error: (...line: unknown[]) => void errors.push(line) }
    const partial = new Blocks()
    for (const { cid, bytes } of [...layout.nodes, ...leaves.slice(0, 2)]) partial.put(cid, bytes)
    const { url } = await serveBlocks(t, partial, log)
    const raw = leaves[0]?.cid.multihash.digest ?? fill(0)
    for (const cid of [root, cidOf(DAG_PB, raw), missing]) {
      const response = await fetch(new URL(`/ipfs/${cid}?format=car`, url))
      await response.arrayBuffer().catch(() => {})
    }
    await new Promise((resolve) => httpGet(new URL(`/ipfs/${root}?format=car`, url), (response) => resolve(response.destroy())))
    await sleep(50)
    assert.deepEqual(errors, [])
  })
})
