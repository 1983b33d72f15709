import { ObjectUnknownError, UploadUnknownError } from '../errors.ts'
import type { AbortOptions, ByteRange } from '../object-store.ts'
import type { Bucket } from './bucket.ts'
import { keys } from './keys.ts'
import { readObject } from './reading.ts'
import type { UploadPiece, UploadRecord } from './upload-record.ts'
import type { UploadWriter } from './upload-writer.ts'

/** Times in a row that an object of an upload is gone when it is to be read: somebody is at work on it. */
const ATTEMPTS = 10

export interface UploadSources {
  /** Who is at work on it here. */
  writer(id: string): UploadWriter | undefined
  record(id: string, options: AbortOptions): Promise<UploadRecord | undefined>
  /** What it has become here. */
  object(id: string): string | undefined
}

/** The bytes of an upload so far: what is on its way from memory, the rest from the bucket. */
export async function* readUpload(
  bucket: Bucket, sources: UploadSources, id: string, { start = 0, length = Infinity, signal }: ByteRange & AbortOptions,
): AsyncGenerator<Uint8Array, void, void> {
  signal?.throwIfAborted()
  const end = start + length
  let record: UploadRecord | undefined
  for (let position = start, misses = 0; position < end; ) {
    const writer = sources.writer(id)
    if (writer === undefined && record === undefined) {
      record = await sources.record(id, { signal })
      const object = sources.object(id)
      if (record === undefined && object !== undefined) return yield* readObject(bucket, object, { start: position, length: end - position, signal })
      if (record === undefined) throw new UploadUnknownError(id)
    }
    const next = writer === undefined ? pieceAt(record?.pieces ?? [], position) : writer.at(position)
    if (next === undefined) return
    if ('bytes' in next) {
      const bytes = next.bytes.subarray(0, end - position)
      position += bytes.byteLength
      yield bytes
      signal?.throwIfAborted()
      continue
    }
    try {
      for await (const chunk of readObject(bucket, keys.piece(id, next.name), { start: next.offset, length: Math.min(next.length, end - position), signal })) {
        position += chunk.byteLength
        misses = 0
        yield chunk
      }
    } catch (error) {
      if (!(error instanceof ObjectUnknownError) || ++misses === ATTEMPTS) throw error
      // Written anew with more behind it, or made an object.
      record = undefined
    }
  }
}

export function pieceAt(pieces: readonly UploadPiece[], position: number): { readonly name: string; readonly offset: number; readonly length: number } | undefined {
  let start = 0
  for (const { name, size } of pieces) {
    if (position < start + size) return { name, offset: position - start, length: start + size - position }
    start += size
  }
  return undefined
}
