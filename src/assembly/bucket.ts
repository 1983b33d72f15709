import type { Config } from '../config/options.ts'
import type { ValueChecks } from '../config/load.ts'
import { ConfigError } from '../config/problem.ts'
import { bucketPlaces as places } from '../registry/paths.ts'
import { AzureOptionsError, settleAzure, type AzureOptions } from '../storage/bucket/azure/options.ts'
import type { Bucket } from '../storage/bucket/bucket.ts'
import { GcsOptionsError, settleGcs, type GcsOptions } from '../storage/bucket/gcs/options.ts'
import { PackageMissingError } from '../storage/bucket/optional-package.ts'
import { endpointOf, settle, type S3Options } from '../storage/bucket/s3/options.ts'
import type { BucketStore } from '../storage/bucket/store.ts'
import { StorageFailedError } from '../storage/errors.ts'
import type { Logger } from '../telemetry/logger.ts'
import { adviceFor } from './bucket-advice.ts'

/** A bucket, by which of Distribution's drivers, and the key that it is configured at. */
export type BucketChoice = { readonly key: string } & (
  | { readonly driver: 's3' | 'r2'; readonly bucket: S3Options }
  | { readonly driver: 'gcs'; readonly bucket: GcsOptions }
  | { readonly driver: 'azure'; readonly bucket: AzureOptions }
)

/** What a bucket has against values, told before it is asked. */
export const BUCKET_CHECKS: ValueChecks = {
  storageS3: (bucket) => void (bucket && settle(bucket)),
  storageR2: (bucket) => void (bucket && settle({ ...bucket, r2: true })),
  storageGcs: (bucket) => void (bucket && settleGcs(bucket)),
  storageAzure: (container) => void (container && settleAzure(container)),
  cacheS3: (bucket) => void (bucket && settle(bucket)),
  cacheR2: (bucket) => void (bucket && settle({ ...bucket, r2: true })),
  cacheGcs: (bucket) => void (bucket && settleGcs(bucket)),
  cacheAzure: (container) => void (container && settleAzure(container)),
}

/** What is wrong before anything is asked. */
const CONFIGURED = [PackageMissingError, GcsOptionsError, AzureOptionsError]
/** In milliseconds: whoever waits for longer is told what for. */
const SOON = 3_000

type BucketsConfig = Partial<Pick<Config, 'storageS3' | 'storageR2' | 'storageGcs' | 'storageAzure'>>

/** The bucket that the configuration names for images. @param at key of the drivers */
export function bucketOf({ storageS3, storageR2, storageGcs, storageAzure }: BucketsConfig, at: string = 'storage'): BucketChoice | undefined {
  if (storageS3 !== undefined) return { key: `${at}.s3`, driver: 's3', bucket: storageS3 }
  // R2 has one region, whatever is said: the original Disco does not heed it either.
  if (storageR2 !== undefined) return { key: `${at}.r2`, driver: 'r2', bucket: { ...storageR2, region: undefined, r2: true } }
  if (storageGcs !== undefined) return { key: `${at}.gcs`, driver: 'gcs', bucket: storageGcs }
  return storageAzure && { key: `${at}.azure`, driver: 'azure', bucket: storageAzure }
}

/** `bucket b at http://localhost:9000` */
export function bucketName(choice: BucketChoice): string {
  if (choice.driver === 'azure') {
    const { container, accountName, serviceUrl } = choice.bucket
    return `container ${container} of ${accountName}${serviceUrl === undefined ? '' : ` at ${serviceUrl}`}`
  }
  if (choice.driver === 'gcs') return `bucket ${choice.bucket.bucket} at ${choice.bucket.endpoint ?? 'Google'}`
  const { bucket, region } = choice.bucket
  const endpoint = endpointOf(choice.bucket)
  return `bucket ${bucket} ${endpoint === undefined ? `in ${region}` : `at ${endpoint}`}`
}

export interface OpenBucketOptions {
  readonly readonly: boolean
  readonly log?: Logger | undefined
}

/**
 * What speaks to buckets is loaded only here, where there is one.
 *
 * @throws StorageFailedError when it is not there, can't be reached, or lets nobody in with these keys; ConfigError when
 * what speaks to it is not installed
 */
export async function openBucket(choice: BucketChoice, { readonly, log }: OpenBucketOptions): Promise<BucketStore> {
  const { BucketStore } = await import('../storage/bucket/store.ts')
  const timer = setTimeout(() => log?.warn(`the ${bucketName(choice)} has not answered yet`), SOON)
  try {
    return await BucketStore.open(await connect(choice), { places, readonly })
  } catch (error) {
    if (CONFIGURED.some((kind) => error instanceof kind)) throw new ConfigError([{ where: choice.key, reason: (error as Error).message }])
    if (!(error instanceof StorageFailedError)) throw error
    const { cause } = error
    const reason = cause instanceof Error ? cause : error
    const advice = adviceFor(choice, reason)
    throw new StorageFailedError(`cannot use the ${bucketName(choice)}: ${reason.message.replace(/\.$/, '')}${advice === undefined ? '' : `; ${advice}`}`, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

async function connect(choice: BucketChoice): Promise<Bucket> {
  if (choice.driver === 'gcs') return (await import('../storage/bucket/gcs/open.ts')).gcsBucket(choice.bucket)
  if (choice.driver === 'azure') return (await import('../storage/bucket/azure/open.ts')).azureBucket(choice.bucket)
  return (await import('../storage/bucket/s3/bucket.ts')).S3Bucket.of(choice.bucket)
}
