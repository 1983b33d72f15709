import type { Config } from '../config/options.ts'
import { blobAt, uploadPlaces as places } from '../registry/paths.ts'
import { FilesystemReader } from '../storage/filesystem/reader.ts'
import { RootedStore } from '../storage/filesystem/rooted-store.ts'
import { FilesystemStore } from '../storage/filesystem/store.ts'
import { MemoryStore } from '../storage/memory/store.ts'
import type { ChunkHashes, ObjectLinks, ObjectReader, ObjectStore } from '../storage/object-store.ts'
import { bucketName, bucketOf, openBucket, type BucketChoice, type OpenBucketOptions } from './bucket.ts'

/** A plain driver of Distribution's, of images or of their cache. */
export type Place =
  | DirectoryPlace
  | BucketChoice
  | MemoryPlace

interface DirectoryPlace {
  readonly driver: 'filesystem'
  readonly root: string
  /** The directory may go while it is open: it is made again then, and begins empty. @default it may not */
  readonly mayGo?: boolean | undefined
}

interface MemoryPlace {
  readonly driver: 'inmemory'
  /** Bytes of blobs, beyond which some go. @default any */
  readonly maxSize?: number | undefined
}

export interface OpenPlace {
  readonly store: ObjectStore & ChunkHashes
  /** Clients can get blobs there. */
  readonly links?: ObjectLinks | undefined
  close(): Promise<void>
}

type ImagesChoice = Pick<Config, 'storageFilesystem' | 'storageInmemory'> & Partial<Pick<Config, 'storageS3' | 'storageR2' | 'storageGcs' | 'storageAzure'>>
type CacheChoice = Pick<Config, 'cacheFilesystem' | 'cacheInmemory' | 'cacheS3' | 'cacheR2' | 'cacheGcs' | 'cacheAzure'>

/** Where images are; undefined: in the data directory, or in Kubo. */
export function imagesPlace({ storageInmemory, storageFilesystem, ...buckets }: ImagesChoice): Place | undefined {
  if (storageInmemory) return { driver: 'inmemory' }
  return bucketOf(buckets) ?? (storageFilesystem === undefined ? undefined : { driver: 'filesystem', root: storageFilesystem })
}

/** What stands in front of IPFS, or in its place. */
export function cachePlace({ cacheInmemory, cacheFilesystem, cacheS3, cacheR2, cacheGcs, cacheAzure }: CacheChoice): Place | undefined {
  if (cacheInmemory !== undefined) return { driver: 'inmemory', maxSize: cacheInmemory.maxSize }
  const bucket = bucketOf({ storageS3: cacheS3, storageR2: cacheR2, storageGcs: cacheGcs, storageAzure: cacheAzure }, 'storage.ipfs.cache')
  return bucket ?? (cacheFilesystem === undefined ? undefined : { driver: 'filesystem', root: cacheFilesystem, mayGo: true })
}

/** Where images are without IPFS, or with Disco as its node: undefined for the data directory, and where they are in Kubo. */
export function plainPlace(config: ImagesChoice & CacheChoice & Pick<Config, 'cacheOnly'>): Place | undefined {
  const place = config.cacheOnly ? cachePlace(config) : imagesPlace(config)
  // What is nowhere else may not go.
  if (place?.driver === 'inmemory') return { driver: 'inmemory' }
  return place?.driver === 'filesystem' ? { driver: 'filesystem', root: place.root } : place
}

/** For people. */
export function placeName(place: Place): string {
  if (place.driver === 'inmemory') return 'memory'
  return place.driver === 'filesystem' ? place.root : bucketName(place)
}

/** @throws StorageFailedError */
export async function openPlace(place: Place, { readonly, log }: OpenBucketOptions): Promise<OpenPlace> {
  if (place.driver === 'inmemory') return { store: new MemoryStore({ maxBytes: place.maxSize, mayGo: (path) => blobAt(path) !== undefined }), close: async () => {} }
  if (place.driver === 'filesystem') {
    const store = await (place.mayGo === true ? FilesystemStore : RootedStore).open(place.root, { places, readonly })
    return { store, close: () => store.close() }
  }
  const store = await openBucket(place, { readonly, log })
  return { store, links: store, close: () => store.close() }
}

/** Only looks into it. @throws StorageFailedError */
export async function openPlaceReader(place: Exclude<Place, { readonly driver: 'inmemory' }>): Promise<{ readonly reader: ObjectReader; readonly close: () => void | Promise<void> }> {
  if (place.driver === 'filesystem') return { reader: new FilesystemReader(place.root, places), close: () => {} }
  const reader = await openBucket(place, { readonly: true })
  return { reader, close: () => reader.close() }
}
