import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import type { CID } from 'multiformats/cid'
import type { BlockSource } from '../../src/ipfs/block-source.ts'
import { ContentUnavailableError, VerificationError } from '../../src/ipfs/errors.ts'
import { CombinedSource, type CombinedSourceOptions } from '../../src/ipfs/gateway/combined-source.ts'
import { GatewayPeer } from '../../src/ipfs/gateway/gateway-peer.ts'
import { cidOf, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { fill } from '../contract/bytes.ts'
import { serve, silent } from './gateway-server.ts'

const BYTES = Array.from({ length: 10 }, (_, i) => fill(1000, i))
const CIDS = BYTES.map((bytes) => cidOf(RAW, sha256(bytes)))
const [first, second] = CIDS as [CID, CID]

interface Peer {
  readonly peer: GatewayPeer
  asked: number
}

async function peer(t: TestContext, answer: (response: ServerResponse, bytes: Uint8Array) => void): Promise<Peer> {
  const { url } = await serve(t, (request, response) => {
    result.asked++
    answer(response, BYTES[CIDS.findIndex((cid) => request.url === `/ipfs/${cid}?format=raw`)] ?? assert.fail(request.url))
  })
  const result: Peer = { peer: new GatewayPeer(url, { idleTimeout: 1000 }), asked: 0 }
  return result
}

const honest = (response: ServerResponse, bytes: Uint8Array): void => void response.end(bytes)
const lying = (response: ServerResponse): void => void response.end('something else')
const lacking = (response: ServerResponse): void => void response.writeHead(404).end('no')
const failing = (response: ServerResponse): void => void response.writeHead(500).end('broken')
const stalling = (): void => {}
const dripping = (response: ServerResponse, bytes: Uint8Array): void => {
  response.writeHead(200, { 'content-length': bytes.length })
  const timer = setInterval(() => response.write('x'), 20)
  response.once('close', () => clearInterval(timer))
}

function combine(t: TestContext, peers: readonly Peer[], options: Partial<CombinedSourceOptions> = {}): CombinedSource {
  const source = new CombinedSource({ peers: peers.map(({ peer: one }) => one), log: silent, ...options })
  t.after(() => source.close())
  return source
}

const general = (bytes?: Uint8Array): BlockSource & { asked: number } => ({
  asked: 0,
  async fetch() {
    this.asked++
    if (bytes === undefined) throw new ContentUnavailableError('nobody')
    return bytes
  },
  async close() {},
})

describe('combined source', () => {
  it('asks one peer for a block', async (t) => {
    const peers = [await peer(t, honest), await peer(t, honest)]
    assert.equal(Buffer.compare(await combine(t, peers).fetch(first), BYTES[0] ?? fill(0)), 0)
    assert.equal((peers[0]?.asked ?? 0) + (peers[1]?.asked ?? 0), 1)
  })

  it('spreads blocks over the peers that have them', async (t) => {
    const peers = [await peer(t, honest), await peer(t, honest)]
    const source = combine(t, peers)
    await Promise.all(CIDS.map((cid) => source.fetch(cid)))
    assert.deepEqual(peers.map(({ asked }) => asked), [5, 5])
  })

  it('asks a liar never again', async (t) => {
    const [liar, other] = [await peer(t, lying), await peer(t, honest)]
    const source = combine(t, [liar, other])
    for (const cid of CIDS) await source.fetch(cid)
    assert.deepEqual([liar.asked, other.asked], [1, 10])
  })

  it('tells of the lie when nobody has better', async (t) => {
    await assert.rejects(combine(t, [await peer(t, lying), await peer(t, lacking)]).fetch(first), VerificationError)
    await assert.rejects(combine(t, [await peer(t, lying)], { general: general() }).fetch(first), VerificationError)
  })

  it('goes on at once to the next when one has not got it, and asks those who have first', async (t) => {
    const [lacks, has] = [await peer(t, lacking), await peer(t, honest)]
    const source = combine(t, [lacks, has])
    for (const cid of CIDS) await source.fetch(cid)
    assert.deepEqual([lacks.asked, has.asked], [1, 10])
  })

  it('asks the general source when no peer has it', async (t) => {
    const others = general(BYTES[0])
    const lacks = await peer(t, lacking)
    const source = combine(t, [lacks], { general: others })
    for (let i = 0; i < 5; i++) await source.fetch(first)
    assert.equal(others.asked, 5)
    assert.equal(lacks.asked, 2)
  })

  it('drops a peer that fails again and again', async (t) => {
    const [fails, has] = [await peer(t, failing), await peer(t, honest)]
    const source = combine(t, [fails, has])
    for (const cid of CIDS) await source.fetch(cid)
    assert.equal(has.asked, 10)
    assert.ok(fails.asked <= 3, `${fails.asked} times`)
  })

  it('asks a peer again that failed once', async (t) => {
    let failed = false
    const flaky = await peer(t, (response, bytes) => {
      if (failed) honest(response, bytes)
      else response.destroy()
      failed = true
    })
    assert.equal(Buffer.compare(await combine(t, [flaky]).fetch(first), BYTES[0] ?? fill(0)), 0)
  })

  it('asks the next as well when one stalls', async (t) => {
    const source = combine(t, [await peer(t, stalling), await peer(t, honest)], { hedge: 50 })
    const before = performance.now()
    await source.fetch(first)
    assert.ok(performance.now() - before < 900)
  })

  it('waits once or twice, not for every block, for one that stalls', async (t) => {
    const [stalls, has] = [await peer(t, stalling), await peer(t, honest)]
    const source = combine(t, [stalls, has], { hedge: 50 })
    for (const cid of CIDS) await source.fetch(cid)
    assert.deepEqual([stalls.asked, has.asked], [1, 10])
  })

  it('gives up at once when nobody has it, and in time when nobody answers', async (t) => {
    await assert.rejects(combine(t, [await peer(t, lacking)], { general: general() }).fetch(first), ContentUnavailableError)
    await assert.rejects(combine(t, []).fetch(first), ContentUnavailableError)
    const before = performance.now()
    await assert.rejects(combine(t, [await peer(t, stalling)], { timeout: 200 }).fetch(first), ContentUnavailableError)
    assert.ok(performance.now() - before < 900)
  })

  it('gives a slow peer its time', async (t) => {
    const slow = await peer(t, (response, bytes) => {
      if (slow.asked === 1) return honest(response, bytes)
      response.writeHead(200, { 'content-length': bytes.length })
      for (let i = 0; i < 10; i++) setTimeout(() => response.write(bytes.subarray(i * 100, i * 100 + 100)), i * 60)
    })
    const spare = await peer(t, honest)
    const source = combine(t, [slow, spare], { timeout: 200, hedge: 200 })
    await source.fetch(second)
    spare.asked = 0
    slow.asked = 1
    await source.fetch(first)
    assert.equal(spare.asked, 0)
  })

  it('waits for a first block no longer than it was told to, however steadily it drips', async (t) => {
    const source = combine(t, [await peer(t, dripping)], { timeout: 300 })
    const before = performance.now()
    await assert.rejects(source.fetch(first), (error: unknown) => error instanceof ContentUnavailableError && error.failures.length === 1)
    assert.ok(performance.now() - before < 900)
  })

  it('loses patience with one that drips later, block after block', async (t) => {
    const late: Peer = await peer(t, (response, bytes) => (late.asked === 1 ? honest : dripping)(response, bytes))
    const source = combine(t, [late], { patience: 400 })
    await source.fetch(first)
    const before = performance.now()
    await assert.rejects(Promise.all(CIDS.map((cid) => source.fetch(cid))), ContentUnavailableError)
    await assert.rejects(source.fetch(second), /too slow/)
    assert.ok(performance.now() - before < 1500)
  })

  it('asks one that dripped last from then on', async (t) => {
    const [drips, has] = [await peer(t, dripping), await peer(t, honest)]
    const source = combine(t, [drips, has], { hedge: 1000, slow: 100 })
    for (const cid of CIDS) await source.fetch(cid)
    assert.deepEqual([drips.asked, has.asked], [1, 10])
  })

  it('tells who failed, and nothing where everybody has said no', async (t) => {
    const failures = async (source: CombinedSource): Promise<number> => {
      const error: unknown = await source.fetch(first).catch((reason: unknown) => reason)
      assert.ok(error instanceof ContentUnavailableError)
      return error.failures.length
    }
    assert.equal(await failures(combine(t, [await peer(t, lacking), await peer(t, lacking)], { general: general() })), 0)
    assert.equal(await failures(combine(t, [])), 0)
    for (const fails of [failing, stalling, (response: ServerResponse): void => void response.destroy()]) {
      assert.equal(await failures(combine(t, [await peer(t, fails), await peer(t, lacking)], { general: general(), timeout: 500 })), 1)
    }
    const source = combine(t, [await peer(t, failing)])
    assert.equal(await failures(source), 1)
    assert.equal(await failures(source), 1)
    const unsure = { ...general(), fetch: () => new Promise<never>(() => {}), unanswered: () => ['somebody: not connected'] }
    assert.equal(await failures(combine(t, [await peer(t, lacking)], { general: unsure, timeout: 100 })), 1)
  })

  it('asks the next as well when one drips on and on', async (t) => {
    const source = combine(t, [await peer(t, dripping), await peer(t, honest)], { hedge: 50, slow: 200 })
    assert.equal(Buffer.compare(await source.fetch(first), BYTES[0] ?? fill(0)), 0)
  })

  it('refuses what is too large, cut short or redirected', async (t) => {
    const large = await peer(t, (response) => void response.end(Buffer.alloc(3 * 1024 * 1024)))
    await assert.rejects(combine(t, [large]).fetch(first), VerificationError)
    const short = await peer(t, (response, bytes) => {
      response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 10), () => response.destroy())
    })
    await assert.rejects(combine(t, [short]).fetch(first), ContentUnavailableError)
    const redirecting = await peer(t, (response) => void response.writeHead(302, { location: '/' }).end())
    await assert.rejects(combine(t, [redirecting]).fetch(first), ContentUnavailableError)
  })

  it('stops when asked to', async (t) => {
    const source = combine(t, [await peer(t, stalling)])
    await assert.rejects(source.fetch(first, { signal: AbortSignal.timeout(20) }), { name: 'TimeoutError' })
    await assert.rejects(source.fetch(second, { signal: AbortSignal.abort(new Error('enough')) }), /enough/)
  })
})
