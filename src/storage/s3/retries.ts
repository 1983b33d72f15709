import { setTimeout as sleep } from 'node:timers/promises'
import { isPassing, storageFailed } from './failures.ts'

/** Tries of one request: with the pauses between them, a server may be away for some seconds. */
const TRIES = 7
/** No more tries are begun after so long, whatever they were spent on, in milliseconds. */
const TIMEOUT = 20_000
/** The first pause is up to so long, each next one twice that, in milliseconds. */
const PAUSE = 100
const MAX_PAUSE = 4_000

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
  const deadline = performance.now() + TIMEOUT
  for (let tried = 1; ; tried++) {
    signal?.throwIfAborted()
    try {
      return await request(sending)
    } catch (error) {
      signal?.throwIfAborted()
      if (answers(error)) throw error
      if (tried === TRIES || performance.now() > deadline || !isPassing(error)) throw storageFailed(what, error)
    }
    await pause(tried, signal)
  }
}

/** Longer each time, and never as long as another's: whoever was turned away at once must not come back at once. */
export async function pause(tried: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(Math.random() * Math.min(MAX_PAUSE, PAUSE * 2 ** (tried - 1)), undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}
