import type { ValueChecks } from '../config/load.ts'
import type { Config } from '../config/options.ts'
import { isHere } from '../global/clone-flight.ts'
import { isCid } from '../global/names.ts'
import type { ReceptionParts } from '../http/reception.ts'
import type { Upstream } from '../http/upstream.ts'
import type { EmbeddedDagIndex } from '../ipfs/embedded/dag-index.ts'
import { EmbeddedNetwork } from '../ipfs/embedded/network.ts'
import { parseMultiaddr, parsePeers } from '../ipfs/embedded/network-peers.ts'
import { sessionOpener } from '../ipfs/embedded/session-opener.ts'
import type { BlockReader, IpfsNetwork } from '../ipfs/node.ts'
import type { ObjectStore } from '../storage/object-store.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Observability } from './observability.ts'

export interface NetworkGround {
  readonly config: Config
  readonly observability: Observability
  readonly log: Logger
}

/** What the network has against values, told before it starts. */
export const NETWORK_CHECKS: ValueChecks = {
  listen: checkMultiaddrs,
  announce: checkMultiaddrs,
  peer: (peers) => void parsePeers(peers),
}

/** The IPFS node that Disco is itself, as the configuration has it. @param blocks that peers get */
export function embeddedNetwork({ config, observability, log }: NetworkGround, store: ObjectStore, index: EmbeddedDagIndex, blocks: BlockReader): IpfsNetwork {
  return new EmbeddedNetwork({
    options: {
      mode: config.network,
      directory: config.data,
      listen: config.listen.length > 0 ? config.listen : undefined,
      announce: config.announce,
      peers: config.peer,
      swarmKey: config.swarmKey,
      findTimeout: config.cloneTimeout,
    },
    blocks: observability.blocks(blocks, 'bitswap'),
    queue: index.queue,
    session: sessionOpener({ store, index, observer: observability.observers.blocks, traceparent: observability.traceparent, log }),
    log,
  })
}

/** Images that are not here are for the process that can fetch them; those that are, are served here. */
export function forwarding(upstream: Upstream, store: ObjectStore): NonNullable<ReceptionParts['elsewhere']> {
  return async ({ name }, request, asker, signal) => {
    if ((request.method !== 'GET' && request.method !== 'HEAD') || !isCid(name)) return undefined
    return await isHere(store, name) ? undefined : upstream.answer(request, asker, signal)
  }
}

function checkMultiaddrs(addresses: readonly string[]): void {
  for (const address of addresses) parseMultiaddr(address)
}
