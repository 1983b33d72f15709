import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { NetworkOptionError } from './network-options.ts'

export interface GivenPeers {
  /** Peers that speak libp2p. */
  readonly multiaddrs: readonly Multiaddr[]
  /** Base URLs of peers that answer `/ipfs/<cid>`. */
  readonly gateways: readonly URL[]
}

/** @throws NetworkOptionError naming the peer that is neither a multiaddr nor an http(s) URL */
export function parsePeers(peers: readonly string[]): GivenPeers {
  const multiaddrs: Multiaddr[] = []
  const gateways: URL[] = []
  for (const peer of peers) {
    if (peer.startsWith('/')) multiaddrs.push(parseMultiaddr(peer))
    else gateways.push(parseUrl(peer))
  }
  return { multiaddrs, gateways }
}

export function parseMultiaddr(text: string): Multiaddr {
  try {
    return multiaddr(text)
  } catch (cause) {
    throw new NetworkOptionError(`${text} is not a multiaddr`, { cause })
  }
}

function parseUrl(text: string): URL {
  const url = URL.parse(text)
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url
  throw new NetworkOptionError(`${text} is neither a multiaddr (/ip4/…) nor an http or https URL`)
}
