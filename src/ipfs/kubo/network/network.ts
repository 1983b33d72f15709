import { setTimeout as sleep } from 'node:timers/promises'
import type { CID } from 'multiformats/cid'
import type { ObjectStore } from '../../../storage/object-store.ts'
import type { BlockObserver } from '../../../telemetry/block-observer.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import { DEFAULT_FIND_TIMEOUT } from '../../embedded/network-options.ts'
import { parsePeers, type GivenPeers } from '../../embedded/network-peers.ts'
import type { ProvideTimes } from '../../embedded/provider.ts'
import { ContentUnavailableError } from '../../errors.ts'
import { GatewayPeer } from '../../gateway/gateway-peer.ts'
import type { ImageSession, IpfsNetwork, NodeInfo } from '../../node.ts'
import { observedPeer } from '../../observed-blocks.ts'
import type { HeldDags } from '../dag/held-dags.ts'
import type { KuboHolds } from '../nodes/hold.ts'
import type { KuboNode } from '../nodes/node.ts'
import type { KuboNodes } from '../nodes/nodes.ts'
import { repositoryOf } from '../store/tree.ts'
import { KuboPeers } from './peers.ts'
import { KuboProvider } from './provider.ts'
import { KuboSession } from './session.ts'
import type { KuboUploads } from '../uploads/uploads.ts'
import { SessionBlocks } from './session-blocks.ts'

export interface KuboNetworkOptions {
  /** Multiaddrs that the nodes shall be connected with, and base URLs (`http:`, `https:`) of Discos or trustless gateways. @default none */
  readonly peers?: readonly string[] | undefined
  /** Milliseconds to wait for somebody who has a block, while nobody gives anything. @default 30000 */
  readonly findTimeout?: number | undefined
}

export interface KuboNetworkParts {
  readonly options: KuboNetworkOptions
  readonly nodes: KuboNodes
  readonly store: Pick<ObjectStore, 'read'>
  readonly uploads: Pick<KuboUploads, 'adopt' | 'remove'>
  readonly holds: KuboHolds
  /** DAGs beside those of the objects' places. */
  readonly held: Pick<HeldDags, 'hold'>
  /** What the network shall hear of. */
  readonly queue: ProvideTimes
  /** Hears of the blocks of gateways, and of what the nodes fetch a file at a time. */
  readonly observer?: BlockObserver | undefined
  /** See `GatewayPeerOptions`. */
  readonly traceparent?: (() => string | undefined) | undefined
  readonly log: Logger
}

interface Running {
  readonly peers: KuboPeers
  readonly provider: KuboProvider
  readonly tidied: Promise<unknown>
  readonly stopped: AbortController
}

/** What a timer can wait for at most, in milliseconds; one that is longer ends at once. */
const LONGEST_TIMEOUT = 2 ** 31 - 1
/** Milliseconds without a byte after which a gateway has failed to give a block. */
const IDLE_TIMEOUT = 10_000
/** Milliseconds until a node that was down is asked again for what clones left there. */
const TIDY_AGAIN = 30_000
const UNSEEN: BlockObserver = { received() {}, sent() {} }

/** The IPFS network by the Kubos that the images are on. They are others' programs: starting and stopping is about what Disco does with them. */
export class KuboNetwork implements IpfsNetwork {
  readonly #parts: KuboNetworkParts
  readonly #given: GivenPeers
  readonly #timeout: number
  #running: Running | undefined

  /** @throws NetworkOptionError at the first peer that is neither a multiaddr nor a URL */
  constructor(parts: KuboNetworkParts) {
    this.#parts = parts
    this.#given = parsePeers(parts.options.peers ?? [])
    this.#timeout = Math.min(parts.options.findTimeout ?? DEFAULT_FIND_TIMEOUT, LONGEST_TIMEOUT)
  }

  /** Waits for nobody: peers and nodes are connected in the background, again whenever they are not. */
  async start(): Promise<void> {
    if (this.#running !== undefined) return
    const { nodes, queue, log } = this.#parts
    const peers = new KuboPeers({ nodes: nodes.all, given: this.#given.multiaddrs.map(String), log })
    const provider = new KuboProvider({ nodes, queue, log })
    const stopped = new AbortController()
    const tidied = Promise.all(nodes.all.map((node) => this.#tidy(node, stopped.signal)))
    this.#running = { peers, provider, tidied, stopped }
    peers.start()
    provider.start()
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    if (running === undefined) return
    running.stopped.abort()
    await Promise.all([running.peers.stop(), running.provider.stop(), running.tidied])
  }

  /** Of the first node that answers. @throws ContentUnavailableError where none does */
  async info(): Promise<NodeInfo> {
    const failures: string[] = []
    for (const node of this.#parts.nodes.all) {
      try {
        const { peerId, addresses } = await node.id()
        return { peerId, addresses, peers: (await node.connectedPeers()).size }
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error))
      }
    }
    throw new ContentUnavailableError('no IPFS node answers', { failures })
  }

  open(root: CID): ImageSession {
    const { nodes, store, uploads, holds, held, observer = UNSEEN, traceparent, log } = this.#parts
    const timeout = this.#timeout
    // Whence the commit will serve it.
    const inOrder = nodes.inOrder(repositoryOf(root))
    const idleTimeout = Math.min(timeout, IDLE_TIMEOUT)
    const gateways = this.#given.gateways.map((url) => observedPeer(new GatewayPeer(url, { idleTimeout, traceparent }), 'gateway', observer))
    const blocks = new SessionBlocks({ gateways, nodes: inOrder, timeout, unreachable: (asked) => this.#running?.peers.unreachable(asked) ?? [], log })
    return new KuboSession(root, { nodes, store, uploads, holds, held, blocks, timeout, observer, log })
  }

  /** As soon as the node is there. */
  async #tidy(node: KuboNode, signal: AbortSignal): Promise<void> {
    const { holds, log } = this.#parts
    while (!signal.aborted) {
      try {
        await holds.releaseLeft(node, { signal })
        return
      } catch (err) {
        if (!signal.aborted) log.debug({ err, node: node.name }, 'cannot look yet for what clones held that were cut off')
        await sleep(TIDY_AGAIN, undefined, { signal, ref: false }).catch(() => {})
      }
    }
  }
}
