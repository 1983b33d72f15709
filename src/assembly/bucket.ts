import type { Config } from '../config/options.ts'
import type { ValueChecks } from '../config/load.ts'
import { bucketPlaces as places } from '../registry/paths.ts'
import { settle, type S3Options } from '../storage/bucket/s3/options.ts'
import type { BucketStore } from '../storage/bucket/store.ts'
import { StorageFailedError } from '../storage/errors.ts'
import type { Logger } from '../telemetry/logger.ts'

/** What a bucket has against values, told before it is asked. */
export const BUCKET_CHECKS: ValueChecks = {
  storageS3: (bucket) => void (bucket && settle(bucket)),
  storageR2: (bucket) => void (bucket && settle({ ...bucket, r2: true })),
  cacheS3: (bucket) => void (bucket && settle(bucket)),
  cacheR2: (bucket) => void (bucket && settle({ ...bucket, r2: true })),
}

/** What is wrong, by the codes of S3 and of systems, and what may help. */
const ADVICE: Readonly<Record<string, string>> = {
  NoSuchBucket: 'make it first',
  AccessDenied: 'the key may not list, read and write it',
  InvalidAccessKeyId: 'see accesskey, and whose it is',
  SignatureDoesNotMatch: 'see secretkey',
  CredentialsProviderError: 'name accesskey and secretkey, or give the machine a role',
  PermanentRedirect: 'see region',
  AuthorizationHeaderMalformed: 'see region',
}
/** In milliseconds: whoever waits for longer is told what for. */
const SOON = 3_000

/** The bucket that the configuration names for images. */
export function bucketOf({ storageS3, storageR2 }: Partial<Pick<Config, 'storageS3' | 'storageR2'>>): S3Options | undefined {
  // R2 has one region, whatever is said: the original Disco does not heed it either.
  return storageS3 ?? (storageR2 && { ...storageR2, region: undefined, r2: true })
}

/** `bucket b at http://localhost:9000` */
export function bucketName({ bucket, region, regionEndpoint }: S3Options): string {
  return `bucket ${bucket} ${regionEndpoint === undefined ? `in ${region}` : `at ${regionEndpoint}`}`
}

export interface OpenBucketOptions {
  readonly readonly: boolean
  readonly log?: Logger | undefined
}

/**
 * What speaks to buckets is loaded only here, where there is one.
 *
 * @throws StorageFailedError when it is not there, can't be reached, or lets nobody in with these keys
 */
export async function openBucket(options: S3Options, { readonly, log }: OpenBucketOptions): Promise<BucketStore> {
  const [{ BucketStore }, { S3Bucket }] = await Promise.all([import('../storage/bucket/store.ts'), import('../storage/bucket/s3/bucket.ts')])
  const timer = setTimeout(() => log?.warn(`the ${bucketName(options)} has not answered yet`), SOON)
  try {
    return await BucketStore.open(S3Bucket.of(options), { places, readonly })
  } catch (error) {
    if (!(error instanceof StorageFailedError)) throw error
    const { cause } = error
    const reason = cause instanceof Error ? cause : error
    const advice = Object.entries(ADVICE).find(([code]) => reason.name === code || reason.message.includes(code))?.[1]
    throw new StorageFailedError(`cannot use the ${bucketName(options)}: ${reason.message.replace(/\.$/, '')}${advice === undefined ? '' : `; ${advice}`}`, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}
