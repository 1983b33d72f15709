import { setTimeout as sleep } from 'node:timers/promises'
import type { StorageFailedError } from '../errors.ts'
import type { AbortOptions } from '../object-store.ts'

/** A server may be away for so long: then the last try is begun, in milliseconds. Where a try takes as long, there is a second one. */
const PATIENCE = 12_000
/** The first pause is up to so long, each next one up to twice that, in milliseconds. */
const PAUSE = 100
const MAX_PAUSE = 2_000

/** What errors of a bucket's server mean. */
export interface Faults {
  /** Whether the next try may succeed: nobody answered, or the server said that it can't now. */
  isPassing(error: unknown): boolean
  /** What the rest of Disco hears, with nothing secret in it. */
  storageFailed(what: string, error: unknown): StorageFailedError
}

export interface RetryOptions extends AbortOptions {
  /** What is for the caller, and not worth another try. */
  readonly answers: (error: unknown) => boolean
}

/**
 * Does a request until it succeeds, or fails for good.
 *
 * @param what for the message
 * @throws StorageFailedError, the signal's reason, or what `answers` says is for the caller
 */
export async function retried<T>(faults: Faults, what: string, { signal, answers }: RetryOptions, request: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + PATIENCE
  for (let tried = 1; ; tried++) {
    signal?.throwIfAborted()
    try {
      return await request()
    } catch (error) {
      signal?.throwIfAborted()
      if (answers(error)) throw error
      if (!faults.isPassing(error) || (tried > 1 && performance.now() > deadline)) throw faults.storageFailed(what, error)
    }
    await pause(tried, signal)
  }
}

/** Longer each time, and never as long as another's: whoever was turned away at once must not come back at once. */
export async function pause(tried: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep((0.5 + Math.random() / 2) * Math.min(MAX_PAUSE, PAUSE * 2 ** (tried - 1)), undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}
