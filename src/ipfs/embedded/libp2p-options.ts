import { autoNAT } from '@libp2p/autonat'
import { bootstrap } from '@libp2p/bootstrap'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dcutr } from '@libp2p/dcutr'
import { identify, identifyPush } from '@libp2p/identify'
import type { Connection, PeerDiscovery, PrivateKey, ServiceMap } from '@libp2p/interface'
import { kadDHT } from '@libp2p/kad-dht'
import { mdns, type MulticastDNSComponents } from '@libp2p/mdns'
import { noise } from '@libp2p/noise'
import { ping, type Ping } from '@libp2p/ping'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { uPnPNAT } from '@libp2p/upnp-nat'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Libp2pOptions } from 'libp2p'
import type { Bitswap, BitswapComponents } from './bitswap.ts'

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

/** Kubo's list (config/bootstrap_peers.go); `@helia/libp2p` keeps its own to itself. */
const BOOTSTRAP_PEERS = [
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN',
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb',
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt',
  '/dnsaddr/va1.bootstrap.libp2p.io/p2p/12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8',
  '/ip4/104.131.131.82/tcp/4001/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ',
]

/**
 * Milliseconds that a ping may take before the connection counts as dead, at least: it waits its turn behind the blocks
 * that are on their way.
 */
const PING_TIMEOUT = 20_000

/** Milliseconds to exchange nonces on; a busy machine needs more than the second that is the default. */
const SWARM_KEY_TIMEOUT = 10_000

/** Connections a second from one host: a private network may well be on one host. */
const INBOUND_CONNECTIONS = 100

/** The provide queue knows what is still here; the DHT by itself would go on telling of what is gone. */
const REPROVIDE = { threshold: 0 }

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

/** What `libp2pDefaults` of `@helia/libp2p` has, without serving as a relay, WebRTC, AutoTLS and HTTP over libp2p. */
export function publicLibp2p(parts: Libp2pParts): Libp2pOptions<Libp2pServices> {
  const { addresses, ...common } = commonOptions(parts)
  return {
    ...common,
    addresses: { ...addresses, listen: [...parts.listen, '/p2p-circuit'] },
    transports: [tcp(), webSockets(), circuitRelayTransport()],
    peerDiscovery: [neighbours, bootstrap({ list: BOOTSTRAP_PEERS })],
    services: { ...commonServices(parts), autoNAT: autoNAT(), dcutr: dcutr(), dht: kadDHT({ reprovide: REPROVIDE }), upnp: uPnPNAT() },
  }
}

interface Dialler {
  readonly connectionManager: { openConnection(addresses: Multiaddr[]): Promise<Connection> }
}

/** Those in the local network, connected to as soon as they are found: libp2p by itself would only note their addresses. */
function neighbours(components: MulticastDNSComponents & Dialler): PeerDiscovery {
  const discovery = mdns()(components)
  discovery.addEventListener('peer', ({ detail: { multiaddrs } }) => {
    // Who can't be reached is found again.
    if (multiaddrs.length > 0) components.connectionManager.openConnection(multiaddrs).catch(() => {})
  })
  return discovery
}

function commonOptions({ privateKey, listen, announce }: Libp2pParts): Libp2pOptions<Libp2pServices> {
  return {
    privateKey,
    addresses: { listen: [...listen], announce: [...announce] },
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { pingTimeout: { minTimeout: PING_TIMEOUT } },
  }
}

function commonServices({ bitswap }: Libp2pParts) {
  return { bitswap, identify: identify(), identifyPush: identifyPush(), ping: ping() }
}

function withoutPeer(address: Multiaddr): string {
  return address.toString().replace(/\/p2p\/[^/]+$/, '')
}
