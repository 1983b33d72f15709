import type { CID } from 'multiformats/cid'
import type { ImageSession } from '../node.ts'
import { CombinedSource } from '../gateway/combined-source.ts'
import { GatewayPeer } from '../gateway/gateway-peer.ts'
import type { SessionSources } from './network.ts'
import { EmbeddedSession, type SessionParts } from './session.ts'

/** Milliseconds without a byte after which a gateway has failed to give a block. */
const IDLE_TIMEOUT = 10_000

/** Sessions that ask the given gateways first, and bitswap for what none of them gives. */
export function sessionOpener(parts: Omit<SessionParts, 'source'>): (root: CID, sources: SessionSources) => ImageSession {
  return (root, { gateways, bitswap, findTimeout }) => {
    const idleTimeout = Math.min(findTimeout, IDLE_TIMEOUT)
    const peers = gateways.map((url) => new GatewayPeer(url, { idleTimeout }))
    const source = peers.length === 0 ? bitswap : new CombinedSource({ peers, general: bitswap, timeout: findTimeout, log: parts.log })
    return new EmbeddedSession(root, { ...parts, source })
  }
}
