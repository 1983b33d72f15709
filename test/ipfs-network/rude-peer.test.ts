import { noise } from '@libp2p/noise'
import { identify } from '@libp2p/identify'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { BITSWAP_PROTOCOL } from '../../src/ipfs/embedded/bitswap/service.ts'
import { encodeMessage } from '../../src/ipfs/embedded/bitswap/message.ts'
import { blockPrefix } from '../../src/ipfs/embedded/bitswap/block-key.ts'
import { cidOf, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { block, first, Nodes, untilPeers } from './harness.ts'

const nodes = new Nodes()
const rude: Libp2p[] = []
afterEach(async () => {
  for (const node of rude.splice(0)) await node.stop()
  await nodes.close()
})

/** A peer that speaks libp2p, and bitswap as the test wants it. */
async function ruden(onStream: (stream: Stream, connection: Connection) => void | Promise<void> = () => {}): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  })
  rude.push(node)
  await node.handle(BITSWAP_PROTOCOL, onStream)
  return node
}

describe('a rude peer', () => {
  it('can send garbage, lengths that lie and messages that are too large, and others are served on', async () => {
    const a = await nodes.start()
    const cid = a.blocks.add(block(1000, 1))
    const peer = await ruden()
    const huge = Buffer.from([0xff, 0xff, 0xff, 0x7f])
    const bodies = [randomBytes(1000), huge, Buffer.from([5, 1, 2]), Buffer.concat(encodeMessage({ blocks: [{ prefix: randomBytes(3), data: randomBytes(9) }] }))]
    for (const body of bodies) {
      const stream = await peer.dialProtocol(multiaddr(a.address), BITSWAP_PROTOCOL)
      stream.send(body)
      await sleep(20)
      await stream.close().catch(() => {})
    }
    const want = { cid: randomBytes(40), cancel: false, have: false, sendDontHave: true }
    const stream = await peer.dialProtocol(multiaddr(a.address), BITSWAP_PROTOCOL)
    stream.send(Buffer.concat(encodeMessage({ wants: [want, { ...want, cid: new Uint8Array() }] })))
    await sleep(50)
    const b = await nodes.start({ peers: [a.address] })
    assert.equal((await b.network.source(cid).fetch(cid)).length, 1000)
  })

  it('that asks for much and takes nothing costs a few blocks of memory', async () => {
    const a = await nodes.start()
    const cids = Array.from({ length: 200 }, (_, seed) => a.blocks.add(block(256 * 1024, seed + 1)))
    const peer = await ruden((stream) => stream.pause())
    const stream = await peer.dialProtocol(multiaddr(a.address), BITSWAP_PROTOCOL)
    stream.send(Buffer.concat(encodeMessage({ wants: cids.map(({ bytes }) => ({ cid: bytes, cancel: false, have: false, sendDontHave: true })) })))
    await sleep(1_000)
    assert.ok(a.blocks.reads > 0 && a.blocks.reads <= 12, `${a.blocks.reads} blocks were read`)
    const b = await nodes.start({ peers: [a.address] })
    assert.equal((await b.network.source(first(cids)).fetch(first(cids))).length, 256 * 1024)
  })

  it('that stands still in the middle of large messages loses its streams, and others are served on', async () => {
    const a = await nodes.start()
    const cid = a.blocks.add(block(1000, 1))
    const part = Buffer.concat([Buffer.from([0x80, 0x80, 0x80, 0x02]), Buffer.alloc(3.9 * 1024 * 1024)])
    const peer = await ruden()
    const streams: Stream[] = []
    for (let i = 0; i < 12; i++) {
      const stream = await peer.dialProtocol(multiaddr(a.address), BITSWAP_PROTOCOL)
      stream.send(part)
      streams.push(stream)
    }
    const lost = (): number => streams.filter(({ status }) => status === 'reset').length
    for (let i = 0; i < 100 && lost() < 4; i++) await sleep(50)
    assert.equal(lost(), 4)
    const b = await nodes.start({ peers: [a.address] })
    assert.equal((await b.network.source(cid).fetch(cid)).length, 1000)
  })

  it('that asks whether a block is here, having asked for it, is still sent the block', async () => {
    const a = await nodes.start()
    const cid = a.blocks.add(block(1000, 1))
    const answers = Promise.withResolvers<Uint8Array>()
    const peer = await ruden((stream) => stream.addEventListener('message', ({ data }) => answers.resolve(data.subarray())))
    const stream = await peer.dialProtocol(multiaddr(a.address), BITSWAP_PROTOCOL)
    const want = { cid: cid.bytes, cancel: false, have: false, sendDontHave: true }
    stream.send(Buffer.concat(encodeMessage({ wants: [want, { ...want, have: true }] })))
    assert.ok((await answers.promise).length > 1000)
  })

  it('that loses a question with one of its connections is asked again', async () => {
    const bytes = block(1000, 1)
    const cid = cidOf(RAW, sha256(bytes))
    let questions = 0
    const loser: Libp2p = await ruden((stream, connection) => {
      const answer = async (): Promise<void> => {
        const way = await first(loser.getConnections().filter(({ status }) => status === 'open')).newStream(BITSWAP_PROTOCOL)
        way.send(Buffer.concat(encodeMessage({ blocks: [{ prefix: blockPrefix(cid), data: bytes }] })))
      }
      stream.addEventListener('message', () => {
        if (questions++ === 0) connection.abort(new Error('lost'))
        else void answer()
      })
    })
    const b = await nodes.start({ peers: [String(loser.getMultiaddrs()[0])] })
    await untilPeers(b, 1)
    await loser.dial(multiaddr(b.address), { force: true })
    await sleep(100)
    assert.equal(loser.getConnections().length, 2)
    assert.equal((await b.network.source(cid).fetch(cid)).length, 1000)
    assert.equal(questions, 2)
  })

  it('that pads its message does not make a small block large in memory', async () => {
    const bytes = block(1000, 1)
    const cid = cidOf(RAW, sha256(bytes))
    const padder: Libp2p = await ruden(async () => {
      const stream = await first(padder.getConnections()).newStream(BITSWAP_PROTOCOL)
      const blocks = [bytes, new Uint8Array(3 * 1024 * 1024)].map((data) => ({ prefix: blockPrefix(cid), data }))
      stream.send(Buffer.concat(encodeMessage({ blocks })))
    })
    const b = await nodes.start({ peers: [String(padder.getMultiaddrs()[0])] })
    assert.equal((await b.network.source(cid).fetch(cid)).buffer.byteLength, 1000)
  })

  it('cannot give a block that no gateway could pass on', async () => {
    const bytes = block(2 * 1024 * 1024 + 1, 1)
    const cid = cidOf(RAW, sha256(bytes))
    const giver: Libp2p = await ruden(async () => {
      const stream = await first(giver.getConnections()).newStream(BITSWAP_PROTOCOL)
      stream.send(Buffer.concat(encodeMessage({ blocks: [{ prefix: blockPrefix(cid), data: bytes }] })))
    })
    const b = await nodes.start({ peers: [String(giver.getMultiaddrs()[0])] })
    await assert.rejects(b.network.source(cid).fetch(cid), { name: 'VerificationError' })
  })

  it('cannot pass off other bytes as a block', async () => {
    const asked = cidOf(RAW, sha256(block(1000, 1)))
    const liar: Libp2p = await ruden(async () => {
      const stream = await first(liar.getConnections()).newStream(BITSWAP_PROTOCOL)
      stream.send(Buffer.concat(encodeMessage({ blocks: [{ prefix: blockPrefix(asked), data: block(1000, 2) }] })))
    })
    const b = await nodes.start({ peers: [String(liar.getMultiaddrs()[0])], findTimeout: 500 })
    await assert.rejects(b.network.source(asked).fetch(asked), { name: 'ContentUnavailableError' })
  })

  it('that leaves in the middle of a block only costs time', async () => {
    const bytes = block(1000, 1)
    const leaver: Libp2p = await ruden(async () => {
      const stream = await first(leaver.getConnections()).newStream(BITSWAP_PROTOCOL)
      stream.send(Buffer.concat(encodeMessage({ blocks: [{ prefix: blockPrefix(cidOf(RAW, sha256(bytes))), data: bytes }] })).subarray(0, 500))
      await sleep(50)
      await leaver.stop()
    })
    const a = await nodes.start()
    const cid = a.blocks.add(bytes)
    const b = await nodes.start({ peers: [String(leaver.getMultiaddrs()[0])] })
    const source = b.network.source(cid)
    await assert.rejects(source.fetch(cid), { name: 'ContentUnavailableError' })
  })
})
