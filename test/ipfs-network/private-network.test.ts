import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { NetworkOptionError } from '../../src/ipfs/embedded/network-options.ts'
import { block, first, freePort, Nodes, OTHER_SWARM_KEY, SWARM_KEY, untilPeers } from './harness.ts'

const MIB = 1024 * 1024
const nodes = new Nodes()
afterEach(() => nodes.close())

describe('private network', () => {
  it('fetches blocks of up to 2 MiB from a given peer', async () => {
    const a = await nodes.start()
    const b = await nodes.start({ peers: [a.address] })
    const contents = [1, 1000, MIB, 2 * MIB].map((size, seed) => block(size, seed + 1))
    const cids = contents.map((bytes) => a.blocks.add(bytes))
    const source = b.network.source(first(cids))
    const fetched = await Promise.all(cids.map((cid) => source.fetch(cid)))
    assert.ok(Buffer.concat(fetched).equals(Buffer.concat(contents)))
    await source.close()
  })

  it('refuses a block that no gateway could pass on', async () => {
    const a = await nodes.start()
    const b = await nodes.start({ peers: [a.address] })
    const [large, larger] = [a.blocks.add(block(2 * MIB, 1)), a.blocks.add(block(2 * MIB + 1, 2))]
    assert.equal((await b.network.source(large).fetch(large)).length, 2 * MIB)
    await assert.rejects(b.network.source(larger).fetch(larger), { name: 'ContentUnavailableError' })
  })

  it('fetches from whoever connects, also when it was given nobody', async () => {
    const a = await nodes.start()
    const b = await nodes.start({ peers: [a.address] })
    await untilPeers(a, 1)
    const cid = b.blocks.add(block(MIB, 1))
    await sleep(200)
    assert.equal((await a.network.source(cid).fetch(cid)).length, MIB)
  })

  it('takes each block once, from one of those who have it', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    const c = await nodes.start({ peers: [a.address, b.address] })
    await untilPeers(c, 2)
    const cids = Array.from({ length: 33 }, (_, seed) => {
      const bytes = block(64 * 1024, seed + 1)
      b.blocks.add(bytes)
      return a.blocks.add(bytes)
    })
    const source = c.network.source(first(cids))
    await source.fetch(first(cids))
    await sleep(200)
    const before = a.blocks.reads + b.blocks.reads
    await Promise.all(cids.slice(1).map((cid) => source.fetch(cid)))
    assert.equal(a.blocks.reads + b.blocks.reads - before, 32)
    await source.close()
  })

  it('goes on with others where one has not all', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    const c = await nodes.start({ peers: [a.address, b.address] })
    const mine = a.blocks.add(block(1000, 1))
    const theirs = b.blocks.add(block(1000, 2))
    const source = c.network.source(mine)
    await source.fetch(mine)
    assert.equal((await source.fetch(theirs)).length, 1000)
    await source.close()
  })

  it('says quickly that none of the peers has a block', async () => {
    const a = await nodes.start()
    const b = await nodes.start({ peers: [a.address], findTimeout: 20_000 })
    const cid = b.blocks.add(block(10, 1))
    const start = Date.now()
    await assert.rejects(b.network.source(cid).fetch(cid), { name: 'ContentUnavailableError' })
    assert.ok(Date.now() - start < 5_000)
  })

  it('asks again for a block that a peer did not have, or has sent before', async () => {
    const a = await nodes.start()
    const b = await nodes.start({ peers: [a.address] })
    const cid = a.blocks.add(block(1000, 1))
    a.blocks.remove(cid)
    await assert.rejects(b.network.source(cid).fetch(cid), { name: 'ContentUnavailableError' })
    a.blocks.add(block(1000, 1))
    assert.equal((await b.network.source(cid).fetch(cid)).length, 1000)
    assert.equal((await b.network.source(cid).fetch(cid)).length, 1000)
  })

  it('gives up in time when a peer does not answer', async () => {
    const a = await nodes.start()
    const b = await nodes.start({ peers: [a.address], findTimeout: 500 })
    a.blocks.get = () => new Promise(() => {})
    const cid = a.blocks.add(block(1000, 1))
    const start = Date.now()
    await assert.rejects(b.network.source(cid).fetch(cid), { name: 'ContentUnavailableError' })
    assert.ok(Date.now() - start < 2_000)
  })

  it('takes a time-out that is longer than any timer for a long one', async () => {
    const a = await nodes.start()
    const b = await nodes.start({ peers: [a.address], findTimeout: 2 ** 40 })
    const cid = a.blocks.add(block(1000, 1))
    const get = a.blocks.get.bind(a.blocks)
    a.blocks.get = async (asked) => {
      await sleep(300)
      return get(asked)
    }
    assert.equal((await b.network.source(cid).fetch(cid)).length, 1000)
  })

  it('waits once, not for every block, for a giver that gives no more', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    const c = await nodes.start({ peers: [a.address, b.address], findTimeout: 20_000 })
    await untilPeers(c, 2)
    const cids = Array.from({ length: 6 }, (_, seed) => a.blocks.add(block(1000, seed)))
    const [fromB, fromA] = [b.blocks.add(block(1000, 11)), a.blocks.add(block(1000, 12))]
    const source = c.network.source(fromB)
    await source.fetch(fromB)
    await source.fetch(fromA)
    b.blocks.get = () => new Promise(() => {})
    const start = Date.now()
    for (const cid of cids) await source.fetch(cid)
    assert.ok(Date.now() - start < 8_000)
  })

  it('stops at once when it is told to', async () => {
    const a = await nodes.start()
    const b = await nodes.start({ peers: [a.address] })
    a.blocks.get = () => new Promise(() => {})
    const cid = a.blocks.add(block(1000, 1))
    const abort = new AbortController()
    setTimeout(() => abort.abort(new Error('enough')), 100)
    await assert.rejects(b.network.source(cid).fetch(cid, { signal: abort.signal }), /enough/)
    await assert.rejects(b.network.source(cid).fetch(cid, { signal: abort.signal }), /enough/)
    const source = b.network.source(cid)
    const fetching = source.fetch(cid)
    await Promise.all([assert.rejects(fetching, { name: 'ContentUnavailableError' }), source.close()])
  })

  it('ends what is under way when it is stopped', async () => {
    const a = await nodes.start()
    const b = await nodes.start({ peers: [a.address], findTimeout: 20_000 })
    a.blocks.get = () => new Promise(() => {})
    const cid = a.blocks.add(block(1000, 1))
    const fetching = assert.rejects(b.network.source(cid).fetch(cid), { name: 'ContentUnavailableError' })
    await sleep(200)
    await b.network.stop()
    await fetching
  })

  it('dials a peer again when it comes back', async () => {
    const port = await freePort()
    const a = await nodes.start({ listen: [`/ip4/127.0.0.1/tcp/${port}`] })
    const b = await nodes.start({ peers: [a.address] })
    const cid = a.blocks.add(block(1000, 1))
    await untilPeers(b, 1)
    await a.network.stop()
    await untilPeers(b, 0)
    await assert.rejects(b.network.source(cid).fetch(cid), { name: 'ContentUnavailableError' })
    await a.network.start()
    assert.equal((await b.network.source(cid).fetch(cid)).length, 1000)
  })

  it('refuses another node at the address of a given peer', async () => {
    const a = await nodes.start()
    const other = a.address.replace(/[^/]+$/, (await nodes.start()).peerId)
    const b = await nodes.start({ peers: [other] })
    const cid = a.blocks.add(block(1000, 1))
    await assert.rejects(b.network.source(cid).fetch(cid), { name: 'ContentUnavailableError' })
    const c = await nodes.start({ peers: [a.address.replace(/\/p2p\/.*/, '')] })
    assert.equal((await c.network.source(cid).fetch(cid)).length, 1000)
  })

  it('listens where it is told to, or says why not', async () => {
    const a = await nodes.start()
    await assert.rejects(nodes.start({ listen: [a.address.replace(/\/p2p\/.*/, '')] }))
    await assert.rejects(nodes.start({ listen: ['127.0.0.1:4001'] }), NetworkOptionError)
    await assert.rejects(nodes.start({ peers: ['localhost:1970'] }), NetworkOptionError)
    await assert.rejects(nodes.start({ peers: ['/dnsaddr/peers.example'] }), NetworkOptionError)
    for (const peer of ['/ip4/127.0.0.1/tcp/1/p2p/abc', 'http://127.0.0.1/a?x=1', 'http://127.0.0.1/a#b', 'http://127.0.0.1/ipfs/', 'https://127.0.0.1/a/ipfs']) {
      await assert.rejects(nodes.start({ peers: [peer] }), NetworkOptionError)
    }
  })
})

describe('swarm key', () => {
  it('lets in those who have it, and nobody else', async () => {
    const a = await nodes.start({ swarmKey: SWARM_KEY })
    const friend = await nodes.start({ swarmKey: SWARM_KEY, peers: [a.address] })
    const stranger = await nodes.start({ swarmKey: OTHER_SWARM_KEY, peers: [a.address], findTimeout: 500 })
    const keyless = await nodes.start({ peers: [a.address], findTimeout: 500 })
    const cid = a.blocks.add(block(MIB, 1))
    assert.equal((await friend.network.source(cid).fetch(cid)).length, MIB)
    for (const { network } of [stranger, keyless]) {
      await assert.rejects(network.source(cid).fetch(cid), { name: 'ContentUnavailableError' })
      assert.equal((await network.info()).peers, 0)
    }
  })

  it('is refused when it is not one', async () => {
    const names = (error: Error): boolean => error instanceof NetworkOptionError && !error.message.includes('secret')
    await assert.rejects(nodes.start({ swarmKey: '/key/swarm/psk/1.0.0/\n/base16/\nsecret\n' }), names)
    await assert.rejects(nodes.start({ swarmKey: '/nowhere/swarm.key' }), names)
    await assert.rejects(nodes.start({ swarmKey: SWARM_KEY, mode: 'public' }), names)
  })
})
