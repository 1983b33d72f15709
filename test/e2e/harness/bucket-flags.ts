import type { S3Options } from '../../../src/storage/bucket/s3/options.ts'
import type { DiscoOptions } from './disco.ts'

/** What tells a server of its bucket, by the environment; blobs it serves itself unless `redirect`. */
export function onBucket(bucket: S3Options, { redirect = false }: { readonly redirect?: boolean } = {}): NonNullable<DiscoOptions['env']> {
  const keys = Object.entries(bucket).map(([key, value]) => [`REGISTRY_STORAGE_S3_${key.toUpperCase()}`, String(value)])
  return { ...Object.fromEntries(keys), REGISTRY_STORAGE_REDIRECT_DISABLE: String(!redirect) }
}
