import { randomBytes } from 'node:crypto'
import type { AbortOptions } from '../../object-store.ts'
import { inParallel } from '../../parallel.ts'
import type { Piece } from '../bucket.ts'
import { retried } from '../retries.ts'
import { patienceFor, withinTime } from '../silence.ts'
import type { AzureBucket } from './bucket.ts'
import { isOtherKind, isUnstaged } from './failures.ts'
import { HEADERS, etagOf } from './properties.ts'

/** Blocks of one blob that are copied at a time. */
const AT_ONCE = 16
/** Others that make the same blob meanwhile. */
const ATTEMPTS = 5

/** Stages what the server copies from each piece as a block, and makes a blob of the blocks. */
export async function compose(bucket: AzureBucket, pieces: readonly Piece[], to: string, options: AbortOptions): Promise<string> {
  if (pieces.length === 0) return bucket.put(to, new Uint8Array(), options)
  for (let attempt = 1; ; attempt++) {
    try {
      return await composeOnce(bucket, pieces, to, options)
    } catch (error) {
      // Whoever makes a blob takes away what all others have staged of it.
      if (!isUnstaged(error) || attempt === ATTEMPTS) throw isUnstaged(error) ? bucket.faults.storageFailed(`the blocks of ${to}`, error) : error
    }
  }
}

async function composeOnce(bucket: AzureBucket, pieces: readonly Piece[], to: string, { signal }: AbortOptions): Promise<string> {
  const target = bucket.blob(to)
  // All blocks of a blob have names of one length, also those that others stage.
  const salt = randomBytes(12).toString('hex')
  const ids = await inParallel(pieces, AT_ONCE, async ({ path, size }, index) => {
    const id = Buffer.from(`${salt}${String(index).padStart(6, '0')}`).toString('base64')
    const source = bucket.blob(path)
    await retried(bucket.faults, `COPY to ${to}`, { signal, answers: isOtherKind }, () => withinTime(signal, async (abortSignal) => {
      const { url, authorization } = await bucket.signatures.source(source)
      await target.stageBlockFromURL(id, url, 0, size, { abortSignal, ...(authorization === undefined ? {} : { sourceAuthorization: authorization }) })
    }, patienceFor(size)))
    return id
  })
  return retried(bucket.faults, `the blocks of ${to}`, { signal, answers: (error) => isUnstaged(error) || isOtherKind(error) }, () =>
    withinTime(signal, async (abortSignal) => etagOf(await target.commitBlockList(ids, { abortSignal, ...HEADERS }))))
}
