import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { NetworkOptionError } from './network-options.ts'

export interface GivenPeers {
  /** Peers that speak libp2p. */
  readonly multiaddrs: readonly Multiaddr[]
  /** Base URLs of peers that answer `/ipfs/<cid>`. */
  readonly gateways: readonly URL[]
}

/** @throws NetworkOptionError naming the first peer that is neither a multiaddr nor an http(s) URL that can be asked */
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
  const address = attempt(() => multiaddr(text), `${text} is not a multiaddr`)
  for (const { name, value } of address.getComponents()) {
    if (name === 'p2p') attempt(() => peerIdFromString(value ?? ''), `${text} has no peer id after /p2p/`)
  }
  return address
}

function attempt<T>(parse: () => T, failure: string): T {
  try {
    return parse()
  } catch (cause) {
    throw new NetworkOptionError(failure, { cause })
  }
}

function parseUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new NetworkOptionError(`${withoutLogin(text)} is neither a multiaddr (/ip4/…) nor an http or https URL`)
  }
  if (/[?#]/.test(text)) throw new NetworkOptionError(`${url.origin}${url.pathname} is given with a query or a fragment: a peer's URL has none`)
  if (/\/ip[fn]s\/?$/.test(url.pathname)) {
    throw new NetworkOptionError(`${url.origin}${url.pathname} is a directory of the gateway: give the URL before it, ${new URL('..', `${url.origin}${url.pathname.replace(/\/?$/, '/')}`).href}`)
  }
  return url
}

/** A URL may have a password, and what is wrong with it is told to whoever reads the log. */
function withoutLogin(text: string): string {
  return text.replace(/\/\/[^/]*@/, '//')
}
