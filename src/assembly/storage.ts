import type { Config } from '../config/options.ts'
import type { ProvideTable } from '../ipfs/embedded/provide-table.ts'
import type { RemotePinCount } from '../ipfs/kubo/pins/remote-pin-table.ts'
import type { DagIndex, IpfsNetwork, OuterNode, ProvideQueue } from '../ipfs/node.ts'
import type { Database } from '../storage/embedded/database.ts'
import type { ChunkHashes, ObjectLinks, ObjectStore } from '../storage/object-store.ts'
import type { CheckOptions, Probe } from '../telemetry/health.ts'
import type { Logger } from '../telemetry/logger.ts'
import { openKubo } from './kubo.ts'
import type { NetworkGround } from './network.ts'
import { openWithOwnNode } from './own-node.ts'

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
  /** The index is kept apart from the images: it may lack some of them. */
  readonly apart: boolean
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
  /** For one process of a registry. */
  network(ground: NetworkGround): IpfsNetwork
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
  return config.kubo.length > 0 ? openKubo(config, log) : openWithOwnNode(config, log)
}

/** What Distribution calls a driver. */
export function driverOf({ kubo, storageInmemory, storageFilesystem, storageS3, storageR2 }: Pick<Config, 'kubo' | 'storageInmemory' | 'storageFilesystem' | 'storageS3' | 'storageR2'>): string {
  if (kubo.length > 0) return 'ipfs'
  if (storageInmemory) return 'inmemory'
  if (storageS3 !== undefined) return 's3'
  if (storageR2 !== undefined) return 'r2'
  return storageFilesystem === undefined ? 'embedded' : 'filesystem'
}
