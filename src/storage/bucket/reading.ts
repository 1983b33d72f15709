import { ObjectUnknownError, StorageFailedError } from '../errors.ts'
import type { ReadOptions } from '../object-store.ts'
import type { Bucket } from './bucket.ts'
import { pause } from './retries.ts'

export interface ObjectReadOptions extends ReadOptions {
  /** What it has to have. */
  readonly etag?: string | undefined
}

/** Cuts in a row without a byte in between. */
const CUTS = 10

/**
 * The bytes of an object as they come. A connection that is cut is begun anew where it was, at the same object: another
 * that has been put in its place meanwhile is an error.
 *
 * @throws ObjectUnknownError at the first chunk
 */
export async function* readObject(bucket: Bucket, path: string, { start = 0, length = Infinity, prompt, signal, ...options }: ObjectReadOptions): AsyncGenerator<Uint8Array, void, void> {
  signal?.throwIfAborted()
  let end = start + length
  if (start >= end) {
    if ((await bucket.head(path, { signal })) === undefined) throw new ObjectUnknownError(path)
    return
  }
  let { etag } = options
  for (let position = start, cuts = 0; position < end; ) {
    const opened = await bucket.open(path, { start: position, end, etag, prompt, signal })
    if (opened === 'end') return
    if (opened === undefined && position === start) throw new ObjectUnknownError(path)
    if (opened === undefined || opened === 'changed') throw new StorageFailedError(`${path} was replaced while it was read`)
    // Somebody between may give anything: no byte of another place, or another object, is for who reads this one.
    if (opened.start !== position || (etag !== undefined && opened.etag !== etag)) {
      opened.destroy()
      throw new StorageFailedError(`the bucket gave something else of ${path} than was asked for: from byte ${opened.start}, not ${position}, of ${opened.etag}, not ${etag ?? opened.etag}`)
    }
    etag = opened.etag
    end = Math.min(end, position + opened.length)
    const abort = (): void => opened.destroy()
    signal?.addEventListener('abort', abort, { once: true })
    try {
      for await (const chunk of opened.chunks()) {
        yield chunk
        signal?.throwIfAborted()
        position += chunk.byteLength
        cuts = 0
      }
    } catch (error) {
      signal?.throwIfAborted()
      if (++cuts === CUTS || !bucket.faults.isPassing(error)) throw bucket.faults.storageFailed(`GET ${path}`, error)
      await pause(cuts, signal)
      continue
    } finally {
      signal?.removeEventListener('abort', abort)
    }
    signal?.throwIfAborted()
    if (position < end && ++cuts === CUTS) throw new StorageFailedError(`the bucket gave ${position - start} bytes of ${path} instead of ${end - start}`)
  }
}
