import { identify, identifyPush } from '@libp2p/identify'
import type { PrivateKey, ServiceMap } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { ping, type Ping } from '@libp2p/ping'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Libp2pOptions, ServiceFactoryMap } from 'libp2p'
import type { Bitswap, BitswapComponents } from './bitswap/service.ts'

export interface Libp2pServices extends ServiceMap {
  readonly bitswap: Bitswap
  readonly ping: Ping
}

export interface Libp2pParts {
  readonly privateKey: PrivateKey
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly bitswap: (components: BitswapComponents) => Bitswap
}

export interface PrivateParts extends Libp2pParts {
  /** All that may be dialled. */
  readonly peers: readonly Multiaddr[]
  readonly swarmKey: Uint8Array | undefined
}

/**
 * Milliseconds that a ping may take before the connection counts as dead, at least: it waits its turn behind the blocks
 * that are on their way.
 */
const PING_TIMEOUT = 20_000

/** Milliseconds to exchange nonces on; a busy machine needs more than the second that is the default. */
const SWARM_KEY_TIMEOUT = 10_000

/** Connections a second from one host: a private network may well be on one host. */
const INBOUND_CONNECTIONS = 100

/** For nodes that know each other: no discovery, no routing, no relay, nothing announced. */
export function privateLibp2p(parts: PrivateParts): Libp2pOptions<Libp2pServices> {
  const { swarmKey } = parts
  const allowed = new Set(parts.peers.map(withoutPeer))
  return {
    ...commonOptions(parts),
    transports: [tcp(), webSockets()],
    services: commonServices(parts),
    connectionManager: { inboundConnectionThreshold: INBOUND_CONNECTIONS },
    connectionGater: { denyDialMultiaddr: (address) => !allowed.has(withoutPeer(address)) },
    ...(swarmKey === undefined ? {} : { connectionProtector: preSharedKey({ psk: swarmKey, timeout: SWARM_KEY_TIMEOUT }) }),
  }
}

/** What every node has. */
export function commonOptions({ privateKey, listen, announce }: Libp2pParts): Libp2pOptions<Libp2pServices> {
  return {
    privateKey,
    addresses: { listen: [...listen], announce: [...announce] },
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { pingTimeout: { minTimeout: PING_TIMEOUT } },
  }
}

export function commonServices({ bitswap }: Libp2pParts): ServiceFactoryMap<Libp2pServices> {
  return { bitswap, identify: identify(), identifyPush: identifyPush(), ping: ping() }
}

function withoutPeer(address: Multiaddr): string {
  return address.toString().replace(/\/p2p\/[^/]+$/, '')
}
