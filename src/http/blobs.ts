import { formatDigest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { parseRange } from '../oci/range.ts'
import type { Answer } from './answer.ts'
import { matches } from './conditional.ts'
import type { Exchange } from './exchange.ts'

/** What a digest names never changes. Answers to requests with `Authorization` stay out of shared caches (RFC 9111 §3.5). */
export const IMMUTABLE = 'max-age=31536000, immutable'

/** end-2: GET of a blob. */
export function getBlob(exchange: Exchange): Promise<Answer> {
  return blobAnswer(exchange, 'GET')
}

/** RFC 9110 §14.2: a server MUST ignore a Range header field received with a request method that is not GET. */
export function headBlob(exchange: Exchange): Promise<Answer> {
  return blobAnswer({ ...exchange, headers: { ...exchange.headers, range: undefined } }, 'HEAD')
}

/** end-10: the blob leaves the repository. */
export async function deleteBlob({ registry, name, reference, signal }: Exchange): Promise<Answer> {
  await registry.deleteBlob(name, reference, { signal })
  return { status: 202 }
}

async function blobAnswer({ registry, name, reference, headers, signal }: Exchange, method: 'GET' | 'HEAD'): Promise<Answer> {
  const blob = await registry.blob(name, reference, { signal })
  const digest = formatDigest(blob.digest)
  const etag = `"${digest}"`
  const common = { 'Docker-Content-Digest': digest, ETag: etag, 'Cache-Control': IMMUTABLE, 'Accept-Ranges': 'bytes' }
  if (matches(headers['if-none-match'], etag)) return { status: 304, headers: common }
  // The URL is good for minutes, and for this client: nothing that a cache should keep.
  const url = await blob.url?.(method)
  if (url !== undefined) return { status: 307, headers: { 'Docker-Content-Digest': digest, 'Cache-Control': 'no-store', Location: url } }
  const typed = { ...common, 'Content-Type': 'application/octet-stream' }
  // RFC 9110 §13.1.5: If-Range that does not match means the whole.
  const applies = headers['if-range'] === undefined || headers['if-range'] === etag
  const range = applies ? parseRange(headers.range, blob.size) : 'whole'
  if (range === 'unsatisfiable') {
    throw new RegistryError('SIZE_INVALID', 'requested range not satisfiable', { status: 416, headers: { 'Content-Range': `bytes */${blob.size}` } })
  }
  if (range === 'whole') {
    return { status: 200, headers: typed, body: { length: blob.size, read: () => blob.read({ signal }) } }
  }
  const { start, length } = range
  return {
    status: 206,
    headers: { ...typed, 'Content-Range': `bytes ${start}-${start + length - 1}/${blob.size}` },
    body: { length, read: () => blob.read({ start, length, signal }) },
  }
}
