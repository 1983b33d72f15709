import { choice, integer, path, presence, text, toggle } from '../kinds.ts'
import { age, goDuration } from '../measures.ts'
import { fields, listOf } from '../structures.ts'
import { r2Bucket, s3Bucket, type BucketConfig, type R2Config } from './bucket.ts'
import { azureContainer, gcsBucket, type AzureConfig, type GcsConfig } from './cloud-buckets.ts'
import { kuboNodes, type KuboAddress } from './kubo.ts'
import type { OptionTable } from './option.ts'

export interface Platform {
  readonly architecture: string
  readonly os: string
  readonly variant?: string
}

export interface StorageConfig {
  /** Data directory. */
  readonly data: string
  /** Root of a tree as Distribution keeps it, in place of the embedded store. */
  readonly storageFilesystem: string | undefined
  readonly storageInmemory: boolean
  readonly storageS3: BucketConfig | undefined
  readonly storageR2: R2Config | undefined
  readonly storageGcs: GcsConfig | undefined
  readonly storageAzure: AzureConfig | undefined
  /** Clients get blobs from Disco although its bucket could give them. */
  readonly redirectDisabled: boolean
  /** Kubos that hold images, in the order that says which holds what; none: Disco is a node itself. */
  readonly kubo: readonly KuboAddress[]
  readonly deleteEnabled: boolean
  readonly readonly: boolean
  readonly uploadPurging: boolean
  /** In milliseconds. */
  readonly uploadPurgingAge: number
  /** In milliseconds. */
  readonly uploadPurgingInterval: number
  readonly uploadPurgingDryRun: boolean
  /** Which manifests an index may name only when they are here. */
  readonly indexPlatforms: 'all' | 'none' | 'list'
  readonly indexPlatformList: readonly Platform[]
  /** Nothing that a manifest refers to need be here. */
  readonly sparse: boolean
  /** Most repositories on a page of the catalog. */
  readonly catalogMax: number
}

export const STORAGE_OPTIONS: OptionTable<StorageConfig> = {
  data: {
    flag: 'data',
    env: 'DISCO_DATA',
    yaml: 'disco.data',
    kind: path,
    default: expandedHome(),
    defaultText: '~/.disco',
    doc: 'Directory that holds everything Disco keeps: images, index, identity.',
  },
  storageFilesystem: {
    yaml: 'storage.filesystem.rootdirectory',
    kind: path,
    default: undefined,
    defaultText: 'none: the embedded store in `disco.data`; `/var/lib/registry` where `storage.filesystem` stands alone',
    doc: 'Keep images in a directory as Distribution does, below `docker/registry/v2`; the two can take turns on it.',
  },
  storageInmemory: {
    yaml: 'storage.inmemory',
    kind: presence,
    default: false,
    doc: 'Keep images in memory, for tests: they are gone when Disco ends. On where the key stands there.',
  },
  storageS3: {
    yaml: 'storage.s3',
    kind: s3Bucket('storage.s3'),
    default: undefined,
    defaultText: 'none: the embedded store in `disco.data`',
    doc: 'Keep images in a [bucket](operations.md#a-bucket) of Amazon S3, or of a server that speaks like it, as Distribution does. `v4auth: true` and what Distribution logs are read and mean nothing.',
  },
  storageR2: {
    yaml: 'storage.r2',
    kind: r2Bucket('storage.r2'),
    default: undefined,
    defaultText: 'none: the embedded store in `disco.data`',
    doc: 'Keep images in a bucket of Cloudflare\'s R2, as the original Disco does; `region` means nothing there. `R2_ACCESS_KEY` and `R2_SECRET_KEY` in the environment count more than its keys.',
  },
  storageGcs: {
    yaml: 'storage.gcs',
    kind: gcsBucket('storage.gcs'),
    default: undefined,
    defaultText: 'none: the embedded store in `disco.data`',
    doc: 'Keep images in a [bucket](operations.md#google-and-azure) of Google\'s Cloud Storage, as Distribution does. It needs `npm install @google-cloud/storage`. `maxconcurrency` is read and means nothing.',
  },
  storageAzure: {
    yaml: 'storage.azure',
    kind: azureContainer('storage.azure'),
    default: undefined,
    defaultText: 'none: the embedded store in `disco.data`',
    doc: 'Keep images in a [container](operations.md#google-and-azure) of Azure\'s Blob Storage, as Distribution does. It needs `npm install @azure/storage-blob`. `max_retries`, `retry_delay` and what Distribution says of copies are read and mean nothing.',
  },
  redirectDisabled: {
    yaml: 'storage.redirect.disable',
    kind: toggle,
    default: false,
    doc: 'With `storage.s3`, `storage.r2`, `storage.gcs` and `storage.azure`, clients that ask for a blob are sent to the bucket (307, by a URL that is signed for 20 minutes), as Distribution does. True: Disco serves it, which clients need that can\'t reach the bucket by the name of its endpoint.',
  },
  kubo: {
    flag: 'kubo',
    env: 'DISCO_KUBO',
    yaml: 'storage.ipfs.router.nodes',
    kind: kuboNodes,
    default: [],
    defaultText: 'none: Disco is an IPFS node itself',
    doc: 'Kubo to keep images in, and to exchange them by, by the URL of its RPC: `http://localhost:5001`, with `user:password@` before the host where it asks for a login. Several share the images between them, by their order: [operation](operations.md#kubo). In the file each is a `url`, and may have a `token`.',
  },
  deleteEnabled: {
    yaml: 'storage.delete.enabled',
    kind: toggle,
    default: false,
    doc: 'Whether clients may delete manifests, tags and blobs.',
  },
  readonly: {
    yaml: 'storage.maintenance.readonly.enabled',
    kind: toggle,
    default: false,
    doc: 'Nothing may be written by clients; pulls go on.',
  },
  uploadPurging: {
    yaml: 'storage.maintenance.uploadpurging.enabled',
    kind: toggle,
    default: true,
    doc: 'Drop uploads that nobody finished.',
  },
  uploadPurgingAge: {
    yaml: 'storage.maintenance.uploadpurging.age',
    kind: age,
    default: 168 * 3_600_000,
    doc: 'How old an unfinished upload is when it is dropped.',
  },
  uploadPurgingInterval: {
    yaml: 'storage.maintenance.uploadpurging.interval',
    kind: goDuration,
    default: 24 * 3_600_000,
    doc: 'Time between two looks for them.',
  },
  uploadPurgingDryRun: {
    yaml: 'storage.maintenance.uploadpurging.dryrun',
    kind: toggle,
    default: false,
    doc: 'Only log what would be dropped.',
  },
  indexPlatforms: {
    yaml: 'validation.manifests.indexes.platforms',
    kind: choice('all', 'none', 'list'),
    default: 'all',
    doc: 'Which manifests that an image index names must be here when it is pushed: `all`, `none`, or those of the platforms of the `list`.',
  },
  indexPlatformList: {
    yaml: 'validation.manifests.indexes.platformlist',
    kind: listOf(fields<Platform>({
      architecture: { kind: text, doc: 'As in the index: `amd64`.' },
      os: { kind: text, doc: 'As in the index: `linux`.' },
      variant: { kind: text, default: undefined, doc: 'As in the index: `v8`; without it, any.' },
    })),
    default: [],
    doc: 'Platforms of which the manifests must be here, with `platforms: list`.',
  },
  sparse: {
    yaml: 'disco.sparse',
    kind: toggle,
    default: false,
    doc: 'Take manifests although manifests, configs or layers that they refer to are not here. Such an image is not global until it is whole.',
  },
  catalogMax: {
    yaml: 'catalog.maxentries',
    kind: integer('<number>', 1, 100_000),
    default: 1000,
    doc: 'Most repositories on one page of `/v2/_catalog`.',
  },
}

function expandedHome(): string {
  return path.read({ where: '', content: '~/.disco' })
}
