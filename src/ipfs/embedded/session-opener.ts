import type { CID } from 'multiformats/cid'
import type { BlockObserver } from '../../telemetry/block-observer.ts'
import type { ImageSession } from '../node.ts'
import { observedPeer, observedSource } from '../observed-blocks.ts'
import { CombinedSource } from '../gateway/combined-source.ts'
import { GatewayPeer } from '../gateway/gateway-peer.ts'
import type { SessionSources } from './network.ts'
import { Window } from '../unixfs/window.ts'
import { EmbeddedSession, KEPT_CHUNKS, type SessionParts } from './session.ts'

/** Milliseconds without a byte after which a gateway has failed to give a block. */
const IDLE_TIMEOUT = 10_000

const UNSEEN: BlockObserver = { received() {}, sent() {} }

export interface OpenerParts extends Omit<SessionParts, 'source' | 'room'> {
  /** See `GatewayPeerOptions`. */
  readonly traceparent?: (() => string | undefined) | undefined
}

/** Sessions that ask the given gateways first, and bitswap for what none of them gives. */
export function sessionOpener({ traceparent, ...parts }: OpenerParts): (root: CID, sources: SessionSources) => ImageSession {
  const room = new Window(KEPT_CHUNKS)
  return (root, { gateways, bitswap, findTimeout }) => {
    const idleTimeout = Math.min(findTimeout, IDLE_TIMEOUT)
    const { observer = UNSEEN, log } = parts
    const general = observedSource(bitswap, 'bitswap', observer)
    const peers = gateways.map((url) => observedPeer(new GatewayPeer(url, { idleTimeout, traceparent }), 'gateway', observer))
    const source = peers.length === 0 ? general : new CombinedSource({ peers, general, timeout: findTimeout, log })
    return new EmbeddedSession(root, { ...parts, room, source })
  }
}
