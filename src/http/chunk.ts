import { RegistryError } from '../oci/errors.ts'
import { parseContentRange } from '../oci/range.ts'
import type { RequestBody } from './request-body.ts'

export interface Chunk {
  /** Where it says that it belongs, in bytes; undefined for the end, wherever that is. */
  readonly offset: number | undefined
  readonly source: AsyncIterable<Uint8Array>
}

/**
 * The chunk of an upload, held to what its `Content-Range` says.
 *
 * @throws RegistryError BLOB_UPLOAD_INVALID for a malformed header, SIZE_INVALID where the body is of another length
 */
export function readChunk(contentRange: string | undefined, body: RequestBody): Chunk {
  if (contentRange === undefined) return { offset: undefined, source: body }
  const span = parseContentRange(contentRange)
  if (span === undefined) throw new RegistryError('BLOB_UPLOAD_INVALID', 'malformed Content-Range', { detail: { 'Content-Range': contentRange } })
  if (body.length === undefined) return { offset: span.start, source: exactly(body, span.length) }
  if (body.length !== span.length) throw wrongLength(span.length)
  return { offset: span.start, source: body }
}

async function* exactly(source: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<Uint8Array, void, void> {
  let left = length
  for await (const chunk of source) {
    left -= chunk.length
    if (left < 0) throw wrongLength(length)
    yield chunk
  }
  if (left > 0) throw wrongLength(length)
}

function wrongLength(length: number): RegistryError {
  return new RegistryError('SIZE_INVALID', `the body is not of the ${length} bytes that Content-Range says`)
}
