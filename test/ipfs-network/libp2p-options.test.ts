import { generateKeyPair } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { privateLibp2p } from '../../src/ipfs/embedded/libp2p-options.ts'
import { parsePeers } from '../../src/ipfs/embedded/network-peers.ts'

const ID = '12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8'

describe('private libp2p', () => {
  it('dials the given peers, with their ids or without, and nobody else', async () => {
    const { multiaddrs } = parsePeers(['/ip4/10.0.0.1/tcp/4001', `/dns4/disco/tcp/4001/p2p/${ID}`, 'http://localhost:1970'])
    const privateKey = await generateKeyPair('Ed25519')
    const bitswap = (): never => assert.fail()
    const options = privateLibp2p({ privateKey, listen: [], announce: [], peers: multiaddrs, swarmKey: undefined, bitswap })
    const denied = (address: string): unknown => options.connectionGater?.denyDialMultiaddr?.(multiaddr(address))
    assert.equal(denied(`/ip4/10.0.0.1/tcp/4001/p2p/${ID}`), false)
    assert.equal(denied('/dns4/disco/tcp/4001'), false)
    assert.equal(denied('/ip4/10.0.0.1/tcp/4002'), true)
    assert.equal(denied(`/ip4/10.0.0.2/tcp/4001/p2p/${ID}`), true)
    assert.equal(denied(`/ip4/10.0.0.1/tcp/4001/p2p/${ID}/p2p-circuit/p2p/${ID}`), true)
  })

  it('has no part that looks for others or tells of itself', async () => {
    const privateKey = await generateKeyPair('Ed25519')
    const bitswap = (): never => assert.fail()
    const options = privateLibp2p({ privateKey, listen: [], announce: [], peers: [], swarmKey: undefined, bitswap })
    assert.deepEqual(Object.keys(options.services ?? {}).sort(), ['bitswap', 'identify', 'identifyPush', 'ping'])
    assert.equal(options.peerDiscovery ?? options.contentRouters ?? options.peerRouters, undefined)
    assert.equal(options.transports?.length, 2)
  })
})
