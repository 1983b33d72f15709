import {
  AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CreateMultipartUploadCommand, ListMultipartUploadsCommand, UploadPartCopyCommand, type CompletedPart,
} from '@aws-sdk/client-s3'
import { StorageFailedError } from '../../errors.ts'
import type { AbortOptions } from '../../object-store.ts'
import { inParallel } from '../../parallel.ts'
import type { Piece } from '../bucket.ts'
import type { S3Bucket } from './bucket.ts'
import { isNoSuchUpload } from './failures.ts'
import { MAX_PARTS, MIN_PART } from './options.ts'
import { withRetries } from './sending.ts'

interface Source extends Piece {
  /** `bytes=0-9`, unless it is all. */
  readonly range?: string
}

const nothing = (): boolean => false

/**
 * Makes one object of several, one after the other, without their bytes leaving the server; it is there whole or not at
 * all. The new object's etag.
 */
export async function compose(bucket: S3Bucket, pieces: readonly Piece[], to: string, { signal }: AbortOptions = {}): Promise<string> {
  const { multipartCopyMaxConcurrency } = bucket.options
  const [only] = pieces
  const sources = pieces.flatMap((piece) => sourcesOf(bucket, piece))
  if (only === undefined) return bucket.put(to, new Uint8Array(), { signal })
  if (sources.length > MAX_PARTS) throw new StorageFailedError(`S3 takes ${MAX_PARTS} parts: for blobs of this size chunksize has to be larger`)
  if (sources.length === 1) {
    const etag = await bucket.copy(only.path, to, { signal })
    if (etag === undefined) throw new StorageFailedError(`the bucket has lost ${only.path}`)
    return etag
  }
  const target = { Bucket: bucket.name, Key: bucket.key(to) }
  const { UploadId } = await withRetries(`parts of ${to}`, signal, nothing, (sending) =>
    bucket.client.send(new CreateMultipartUploadCommand({ ...target, ...bucket.newObject() }), sending))
  try {
    const parts = await inParallel(sources, multipartCopyMaxConcurrency, async ({ path, range }, index): Promise<CompletedPart> => {
      const input = { ...target, UploadId, PartNumber: index + 1, CopySource: bucket.source(path), ...(range === undefined ? {} : { CopySourceRange: range }) }
      const { CopyPartResult } = await withRetries(`COPY to ${to}`, signal, nothing, (sending) => bucket.client.send(new UploadPartCopyCommand(input), sending))
      return { PartNumber: index + 1, ETag: CopyPartResult?.ETag ?? '' }
    })
    const completion = new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts: parts } })
    return await withRetries(`the parts of ${to}`, signal, isNoSuchUpload, async (sending) => (await bucket.client.send(completion, sending)).ETag ?? '')
  } catch (error) {
    // Done by an earlier try, whose answer was lost.
    const done = isNoSuchUpload(error) ? await bucket.head(to, { signal }) : undefined
    if (done !== undefined) return done.etag
    await bucket.client.send(new AbortMultipartUploadCommand({ ...target, UploadId })).catch(() => {})
    throw error
  }
}

/** A large one is copied in parts, which the server does at the same time. */
function sourcesOf({ options }: S3Bucket, piece: Piece): Source[] {
  const { multipartCopyThresholdSize, multipartCopyChunkSize, r2 = false } = options
  // R2's parts have to be of one size, and the pieces are.
  if (piece.size <= Math.max(multipartCopyThresholdSize, MIN_PART) || r2) return [piece]
  const count = Math.max(1, Math.min(Math.ceil(piece.size / multipartCopyChunkSize), Math.floor(piece.size / MIN_PART)))
  const each = Math.floor(piece.size / count)
  return Array.from({ length: count }, (_, index) => ({ ...piece, range: `bytes=${index * each}-${index === count - 1 ? piece.size - 1 : (index + 1) * each - 1}` }))
}

/** Gives up what was begun before a time, in milliseconds since the epoch, and never became an object: its parts cost room that nobody sees. */
export async function abortParts(bucket: S3Bucket, before: number, isOurs: (path: string) => boolean, { signal }: AbortOptions = {}): Promise<void> {
  let marker: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } = {}
  for (;;) {
    const input = { Bucket: bucket.name, Prefix: bucket.key(''), ...marker }
    const { Uploads = [], IsTruncated = false, NextKeyMarker, NextUploadIdMarker } =
      await withRetries('a list of unfinished parts', signal, nothing, (sending) => bucket.client.send(new ListMultipartUploadsCommand(input), sending))
    for (const { Key, UploadId, Initiated } of Uploads) {
      if (Key === undefined || Initiated === undefined || Initiated.getTime() > before || !isOurs(bucket.path(Key))) continue
      await withRetries('unfinished parts', signal, isNoSuchUpload, (sending) =>
        bucket.client.send(new AbortMultipartUploadCommand({ Bucket: bucket.name, Key, UploadId }), sending)).catch((error: unknown) => {
        if (!isNoSuchUpload(error)) throw error
      })
    }
    if (!IsTruncated) return
    marker = { KeyMarker: NextKeyMarker ?? '', UploadIdMarker: NextUploadIdMarker ?? '' }
  }
}
