import { checked, path, toggle, type Kind } from '../kinds.ts'
import { size } from '../measures.ts'
import { isRawMap } from '../raw.ts'
import { fields } from '../structures.ts'
import { checkBase } from './addresses.ts'
import { r2Bucket, s3Bucket, type BucketConfig, type R2Config } from './bucket.ts'
import { azureContainer, gcsBucket, type AzureConfig, type GcsConfig } from './cloud-buckets.ts'
import type { OptionTable } from './option.ts'

export interface MemoryConfig {
  /** Most bytes of blobs. */
  readonly maxSize: number
}

/** What stands in front of IPFS, or in its place. */
export interface CacheConfig {
  /** Root of a tree as Distribution keeps it. */
  readonly cacheFilesystem: string | undefined
  readonly cacheInmemory: MemoryConfig | undefined
  readonly cacheS3: BucketConfig | undefined
  readonly cacheR2: R2Config | undefined
  readonly cacheGcs: GcsConfig | undefined
  readonly cacheAzure: AzureConfig | undefined
  /** There is no IPFS: the cache is all. */
  readonly cacheOnly: boolean
  /** Where clients get blobs: below this URL; true: at the bucket; false: here; undefined: at the bucket of `storage`, else here. */
  readonly redirect: string | boolean | undefined
  /** Several Discos share the cache's bucket and the Kubos. */
  readonly replicas: boolean
}

const GIB = 1024 ** 3

const memory: Kind<MemoryConfig | undefined> = whereNamed(fields<MemoryConfig>({
  maxSize: { kind: size(1), default: GIB, defaultText: '1GiB', doc: 'Most that its blobs may take up; those go first that were not read for longest.' },
}))

const url = checked('<url|true|false>', checkBase)

/** A base, or whether the bucket is one. */
const base: Kind<string | boolean | undefined> = {
  ...url,
  read: ({ where, content }) => {
    if (content === undefined || content === '') return undefined
    return content === 'true' || content === 'false' ? content === 'true' : url.read({ where, content })
  },
  accept: (value) => (value === undefined || typeof value === 'boolean' ? value : url.accept(value)),
}

export const CACHE_OPTIONS: OptionTable<CacheConfig> = {
  cacheFilesystem: {
    yaml: 'storage.ipfs.cache.filesystem.rootdirectory',
    kind: path,
    default: undefined,
    defaultText: 'none; `/var/lib/registry` where `storage.ipfs.cache.filesystem` stands alone',
    doc: 'A [cache](operations.md#a-cache-in-front-of-ipfs) in front of IPFS: a directory with the tree that Distribution and the original Disco keep there.',
  },
  cacheInmemory: {
    yaml: 'storage.ipfs.cache.inmemory',
    kind: memory,
    default: undefined,
    defaultText: 'none',
    doc: 'A cache in memory, of one process.',
  },
  cacheS3: {
    yaml: 'storage.ipfs.cache.s3',
    kind: s3Bucket('storage.ipfs.cache.s3'),
    default: undefined,
    defaultText: 'none',
    doc: 'A cache in a bucket, with the parameters of `storage.s3`.',
  },
  cacheR2: {
    yaml: 'storage.ipfs.cache.r2',
    kind: r2Bucket('storage.ipfs.cache.r2'),
    default: undefined,
    defaultText: 'none',
    doc: 'A cache in a bucket of Cloudflare\'s R2, with the parameters of `storage.r2`.',
  },
  cacheGcs: {
    yaml: 'storage.ipfs.cache.gcs',
    kind: gcsBucket('storage.ipfs.cache.gcs'),
    default: undefined,
    defaultText: 'none',
    doc: 'A cache in a bucket of Google\'s Cloud Storage, with the parameters of `storage.gcs`.',
  },
  cacheAzure: {
    yaml: 'storage.ipfs.cache.azure',
    kind: azureContainer('storage.ipfs.cache.azure'),
    default: undefined,
    defaultText: 'none',
    doc: 'A cache in a container of Azure\'s Blob Storage, with the parameters of `storage.azure`.',
  },
  cacheOnly: {
    yaml: 'storage.ipfs.cacheonly',
    kind: toggle,
    default: false,
    doc: 'No IPFS at all: images are in the cache alone, and have the CID as their name that the original Disco gives them then.',
  },
  redirect: {
    yaml: 'storage.ipfs.redirect',
    kind: base,
    default: undefined,
    defaultText: 'false; with a bucket in `storage` true',
    doc: 'Clients that ask for a blob that is in the cache (or in a bucket or directory of `storage`) are sent (307) to this URL with the blob\'s path after it, `/docker/registry/v2/blobs/…/data`: a CDN, or a server of files. `true`: to the bucket, by a URL that is signed for 20 minutes. `storage.redirect.disable: true` counts more.',
  },
  replicas: {
    yaml: 'disco.replicas',
    kind: toggle,
    default: false,
    doc: 'Several Discos serve the same images from the bucket of `storage.ipfs.cache` and the same Kubos: what they have to agree on is in the bucket, which no push can do without then.',
  },
}

/** Naming it chooses it, with nothing below it too. */
function whereNamed<T>(kind: Kind<T>): Kind<T | undefined> {
  return {
    ...kind,
    presence: true,
    read: (raw) => kind.read(isRawMap(raw.content) ? raw : { ...raw, content: new Map() }),
    accept: (value) => (value === undefined ? undefined : kind.accept(value)),
    write: (value) => (value === undefined ? undefined : kind.write(value)),
  }
}
