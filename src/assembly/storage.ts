import type { Config } from '../config/options.ts'
import type { ImageIndexer } from '../global/image-indexer.ts'
import type { ProvideTable } from '../ipfs/embedded/provide-table.ts'
import type { RemotePinCount } from '../ipfs/kubo/pins/remote-pin-table.ts'
import type { BlockReader, DagIndex, IpfsNetwork, OuterNode, ProvideQueue } from '../ipfs/node.ts'
import type { Database } from '../storage/embedded/database.ts'
import type { ChunkHashes, ObjectLinks, ObjectStore } from '../storage/object-store.ts'
import type { CheckOptions, Probe } from '../telemetry/health.ts'
import type { Logger } from '../telemetry/logger.ts'
import { openCacheOnly } from './cache-only.ts'
import { openKubo } from './kubo.ts'
import type { NetworkGround } from './network.ts'
import { openWithOwnNode } from './own-node.ts'
import { cachePlace, plainPlace } from './place.ts'
import { openTiered } from './tiered.ts'

/** Where images are, which IPFS blocks they are made of, and who exchanges those with others. */
export interface BuiltStorage {
  readonly store: ObjectStore & ChunkHashes
  /** Clients get blobs there. @default here */
  readonly links?: ObjectLinks | undefined
  readonly index: DagIndex
  /** Told of images that are new here. */
  readonly provides: ProvideQueue
  /** Told of images that are pushed here. */
  readonly pushed?: ProvideQueue
  /** What the network shall hear of. */
  readonly queue: Pick<ProvideTable, 'count'>
  /** Of the data directory. */
  readonly database: Database
  /** Completes an index that is kept apart from the images, and so may lack some of them. */
  readonly images?: ImageIndexer
  /** What others are given. @default the blocks that are in the index */
  readonly blocks?: BlockReader
  /** Other Discos, each with its own data directory, may be on the store. */
  readonly shared: boolean
  /** Objects whose blocks are indexed here. */
  readonly indexed?: () => number
  /** Nodes that are programs of their own, as they were seen last. @default none: the network is a node */
  readonly nodes?: () => readonly OuterNode[]
  /** @default none: no service is told of images */
  readonly remotePins?: () => readonly RemotePinCount[]
  /** What has to hold for requests to be worth coming, beside what is asked of the store. */
  readonly checks: readonly NamedCheck[]
  /** What goes on beside the requests, in one process. */
  readonly background: readonly Background[]
  /** For one process of a registry. @default there is no IPFS */
  network?: (ground: NetworkGround) => IpfsNetwork
  close(): Promise<void>
}

export interface NamedCheck {
  readonly name: string
  readonly probe: Probe
  readonly options: CheckOptions
}

export interface Background {
  start(): void
  stop(): Promise<void>
}

/**
 * Opens the store that the configuration names; without one, the embedded store in the data directory.
 *
 * @throws ConfigError, StorageFailedError, KuboUnfitError
 */
export async function openStorage(config: Config, log: Logger): Promise<BuiltStorage> {
  const [place, cache] = [plainPlace(config), cachePlace(config)]
  if (place !== undefined && config.cacheOnly) return openCacheOnly(place, config, log)
  const openIpfs = (): Promise<BuiltStorage> => (config.kubo.length > 0 ? openKubo(config, log) : openWithOwnNode(config, log))
  return cache === undefined ? openIpfs() : openTiered(cache, config, openIpfs, log)
}

/** What Distribution calls a driver. */
export function driverOf(config: Config): string {
  if (config.replicas) return cachePlace(config)?.driver ?? 'ipfs'
  if (config.kubo.length > 0 && !config.cacheOnly) return 'ipfs'
  return plainPlace(config)?.driver ?? 'embedded'
}
