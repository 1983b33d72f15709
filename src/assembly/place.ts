import type { Config } from '../config/options.ts'
import { uploadPlaces as places } from '../registry/paths.ts'
import { FilesystemReader } from '../storage/filesystem/reader.ts'
import { FilesystemStore } from '../storage/filesystem/store.ts'
import { MemoryStore } from '../storage/memory/store.ts'
import type { ChunkHashes, ObjectLinks, ObjectReader, ObjectStore } from '../storage/object-store.ts'
import type { S3Options } from '../storage/bucket/s3/options.ts'
import { bucketName, bucketOf, openBucket, type OpenBucketOptions } from './bucket.ts'

/** A plain driver of Distribution's, of images or of their cache. */
export type Place =
  | { readonly driver: 'filesystem'; readonly root: string }
  | { readonly driver: 's3' | 'r2'; readonly bucket: S3Options }
  | { readonly driver: 'inmemory'; readonly maxSize?: number | undefined }

export interface OpenPlace {
  readonly store: ObjectStore & ChunkHashes
  /** Clients can get blobs there. */
  readonly links?: ObjectLinks | undefined
  close(): Promise<void>
}

type ImagesChoice = Pick<Config, 'storageFilesystem' | 'storageInmemory'> & Partial<Pick<Config, 'storageS3' | 'storageR2'>>
type CacheChoice = Pick<Config, 'cacheFilesystem' | 'cacheInmemory' | 'cacheS3' | 'cacheR2'>

/** Where images are; undefined: in the data directory, or in Kubo. */
export function imagesPlace({ storageInmemory, storageFilesystem, storageS3, storageR2 }: ImagesChoice): Place | undefined {
  if (storageInmemory) return { driver: 'inmemory' }
  return bucketPlace(storageS3, storageR2) ?? (storageFilesystem === undefined ? undefined : { driver: 'filesystem', root: storageFilesystem })
}

/** What stands in front of IPFS, or in its place. */
export function cachePlace({ cacheInmemory, cacheFilesystem, cacheS3, cacheR2 }: CacheChoice): Place | undefined {
  if (cacheInmemory !== undefined) return { driver: 'inmemory', maxSize: cacheInmemory.maxSize }
  return bucketPlace(cacheS3, cacheR2) ?? (cacheFilesystem === undefined ? undefined : { driver: 'filesystem', root: cacheFilesystem })
}

/** Where images are without IPFS, or with Disco as its node: undefined for the data directory, and where they are in Kubo. */
export function plainPlace(config: ImagesChoice & CacheChoice & Pick<Config, 'cacheOnly'>): Place | undefined {
  return config.cacheOnly ? cachePlace(config) : imagesPlace(config)
}

function bucketPlace(storageS3: Config['storageS3'], storageR2: Config['storageR2']): Place | undefined {
  const bucket = bucketOf({ storageS3, storageR2 })
  return bucket && { driver: storageS3 === undefined ? 'r2' : 's3', bucket }
}

/** Whether clients are sent to the bucket that images are in. */
export function sendsToBucket({ redirect, redirectDisabled, ...config }: Config): boolean {
  const place = plainPlace(config)
  if (place === undefined || !('bucket' in place)) return false
  return redirect === true || (redirect === undefined && !redirectDisabled && !config.cacheOnly)
}

/** For people. */
export function placeName(place: Place): string {
  if (place.driver === 'inmemory') return 'memory'
  return place.driver === 'filesystem' ? place.root : bucketName(place.bucket)
}

/** @throws StorageFailedError */
export async function openPlace(place: Place, { readonly, log }: OpenBucketOptions): Promise<OpenPlace> {
  if (place.driver === 'inmemory') return { store: new MemoryStore(), close: async () => {} }
  if (place.driver === 'filesystem') {
    const store = await FilesystemStore.open(place.root, { places, readonly })
    return { store, close: () => store.close() }
  }
  const store = await openBucket(place.bucket, { readonly, log })
  return { store, links: store, close: () => store.close() }
}

/** Only looks into it. @throws StorageFailedError */
export async function openPlaceReader(place: Exclude<Place, { readonly driver: 'inmemory' }>): Promise<{ readonly reader: ObjectReader; readonly close: () => void | Promise<void> }> {
  if (place.driver === 'filesystem') return { reader: new FilesystemReader(place.root, places), close: () => {} }
  const reader = await openBucket(place.bucket, { readonly: true })
  return { reader, close: () => reader.close() }
}
