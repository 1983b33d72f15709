import type { CID } from 'multiformats/cid'
import type { ObjectStore } from '../../storage/object-store.ts'
import type { BlockObserver } from '../../telemetry/block-observer.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { ProvideTimes } from '../embedded/provider.ts'
import type { ImageSession, IpfsNetwork, NodeInfo } from '../node.ts'
import type { AdoptingUploads } from './adopted-blob.ts'
import type { KuboNodes } from './kubo-nodes.ts'

export interface KuboNetworkOptions {
  /** Multiaddrs that the nodes shall be connected with, and base URLs (`http:`, `https:`) of Discos or trustless gateways. @default none */
  readonly peers?: readonly string[] | undefined
  /** Milliseconds to wait for somebody who has a block, while nobody gives anything. @default 30000 */
  readonly findTimeout?: number | undefined
}

export interface KuboNetworkParts {
  readonly options: KuboNetworkOptions
  readonly nodes: KuboNodes
  readonly store: Pick<ObjectStore, 'stat'>
  readonly uploads: AdoptingUploads & Pick<ObjectStore['uploads'], 'remove'>
  /** What the network shall hear of. */
  readonly queue: ProvideTimes
  /** Hears of every block, or of as many bytes at once. */
  readonly observer?: BlockObserver | undefined
  /** See `GatewayPeerOptions`. */
  readonly traceparent?: (() => string | undefined) | undefined
  readonly log: Logger
}

/** The IPFS network by the Kubos that the images are on. They are others' processes: starting and stopping is about what Disco does with them. */
export class KuboNetwork implements IpfsNetwork {
  /** @throws NetworkOptionError at the first peer that is neither a multiaddr nor a URL */
  constructor(_parts: KuboNetworkParts) {}

  /** Waits for nobody: peers and nodes are connected in the background, again whenever they are not. */
  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  /** Of the first node that answers. @throws ContentUnavailableError where none does */
  info(): Promise<NodeInfo> {
    throw new Error('to come')
  }

  open(_root: CID): ImageSession {
    throw new Error('to come')
  }
}
