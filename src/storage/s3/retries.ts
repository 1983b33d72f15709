import { setTimeout as sleep } from 'node:timers/promises'
import { isPassing, storageFailed } from './failures.ts'

/** A server may be away for so long: then the last try is begun, in milliseconds. Where a try takes as long, there is a second one. */
const PATIENCE = 12_000
/** The first pause is up to so long, each next one up to twice that, in milliseconds. */
const PAUSE = 100
const MAX_PAUSE = 2_000

/** What the SDK takes beside a command. */
export interface Sending {
  readonly abortSignal?: AbortSignal
}

/**
 * Does a request until it succeeds, or fails for good.
 *
 * @param what for the message
 * @throws StorageFailedError, the signal's reason, or what `answers` says is for the caller
 */
export async function withRetries<T>(what: string, signal: AbortSignal | undefined, answers: (error: unknown) => boolean, request: (sending: Sending) => Promise<T>): Promise<T> {
  const sending = signal === undefined ? {} : { abortSignal: signal }
  const deadline = performance.now() + PATIENCE
  for (let tried = 1; ; tried++) {
    signal?.throwIfAborted()
    try {
      return await request(sending)
    } catch (error) {
      signal?.throwIfAborted()
      if (answers(error)) throw error
      if (!isPassing(error) || (tried > 1 && performance.now() > deadline)) throw storageFailed(what, error)
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
