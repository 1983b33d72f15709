import { formatDigest, parseDigest, type Digest } from '../oci/digest.ts'
import { StorageFailedError } from '../storage/errors.ts'
import type { AbortOptions, Change, ObjectReader } from '../storage/object-store.ts'

/** The change that makes `path` a link to `digest`. */
export function link(path: string, digest: Digest): Change {
  return { put: path, data: linkData(digest) }
}

/** The bytes of a link. */
export function linkData(digest: Digest): Uint8Array {
  return Buffer.from(formatDigest(digest))
}

/**
 * What the link at `path` points to; undefined where there is none.
 *
 * @throws StorageFailedError when what is there is no link
 */
export async function readLink(store: ObjectReader, path: string, options?: AbortOptions): Promise<Digest | undefined> {
  const bytes = await store.get(path, options)
  if (bytes === undefined) return undefined
  const digest = parseDigest(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'))
  if (digest === undefined) throw new StorageFailedError(`${path} is not a link`)
  return digest
}
