import { StorageFailedError } from '../errors.ts'
import type { Bucket } from './bucket.ts'
import { keys } from './keys.ts'

/**
 * Whether a bucket can be used: it is there, may be listed (what is missing is forbidden for who may not), and `writable`:
 * lets us delete, and heeds the conditions of writes, without which several processes could not keep out of each other's way.
 *
 * @throws StorageFailedError
 */
export async function checkBucket(bucket: Bucket, { writable }: { readonly writable: boolean }): Promise<void> {
  await bucket.page(keys.conditions, { limit: 1 })
  if (!writable) return
  await bucket.delete([keys.nothing])
  const data = Buffer.from('{}')
  await bucket.putIf(keys.conditions, data, undefined)
  const heeded = (await bucket.putIf(keys.conditions, data, undefined)) === undefined && (await bucket.putIf(keys.conditions, data, bucket.noEtag)) === undefined
  if (!heeded) throw new StorageFailedError(`the server of the bucket ${bucket.name} does not heed If-Match and If-None-Match of a PUT; Disco needs one that does`)
}
