import { delegatedHTTPRouter } from '@helia/delegated-routing-client'
import { withLibp2pLight, type HeliaWithLibp2p } from '@helia/libp2p'
import { autoNAT } from '@libp2p/autonat'
import { bootstrap } from '@libp2p/bootstrap'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dcutr } from '@libp2p/dcutr'
import type { Connection, PeerDiscovery } from '@libp2p/interface'
import { kadDHT } from '@libp2p/kad-dht'
import { mdns, type MulticastDNSComponents } from '@libp2p/mdns'
import { tcp } from '@libp2p/tcp'
import { uPnPNAT } from '@libp2p/upnp-nat'
import { webSockets } from '@libp2p/websockets'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createHeliaLight } from 'helia'
import type { Libp2pOptions } from 'libp2p'
import { commonOptions, commonServices, type Libp2pParts, type Libp2pServices } from './libp2p-options.ts'

/** Kubo's list (config/bootstrap_peers.go); `@helia/libp2p` keeps its own to itself. */
const BOOTSTRAP_PEERS = [
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN',
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb',
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt',
  '/dnsaddr/va1.bootstrap.libp2p.io/p2p/12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8',
  '/ip4/104.131.131.82/tcp/4001/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ',
]

/** The public endpoint that Helia asks too, and what of its answers we can use. */
const DELEGATED_ROUTING = {
  url: 'https://delegated-ipfs.dev',
  filterProtocols: ['unknown', 'transport-bitswap'],
  filterAddrs: ['unknown', 'tcp', 'ws', 'wss'],
}

/** The provide queue knows what is still here; the DHT by itself would go on telling of what is gone. */
const REPROVIDE = { threshold: 0 }

/** A node of the public network. A module of its own, because what it brings along is two thirds of all that Disco could load. */
export function createPublicNode(parts: Libp2pParts): HeliaWithLibp2p<Libp2pServices> {
  return withLibp2pLight(createHeliaLight({ routers: [delegatedHTTPRouter(DELEGATED_ROUTING)] }), publicLibp2p(parts))
}

/** What `libp2pDefaults` of `@helia/libp2p` has, without serving as a relay, WebRTC, AutoTLS and HTTP over libp2p. */
function publicLibp2p(parts: Libp2pParts): Libp2pOptions<Libp2pServices> {
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
