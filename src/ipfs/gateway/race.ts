import type { CID } from 'multiformats/cid'
import { ContentUnavailableError, VerificationError } from '../errors.ts'
import { afterSilence } from './after-silence.ts'

/** Somebody who may have a block. */
export interface Contender {
  ask(signal: AbortSignal): Promise<Uint8Array | undefined>
  /** May be asked again for the same block. */
  retry(): boolean
  /** When it last gave bytes, of whichever block. */
  gaveAt(): number
  /** It gives nothing; others are asked as well. */
  stalled(): void
}

export interface RaceOptions {
  /** Milliseconds in which a contender gives nothing after which the next is asked as well. */
  readonly hedge: number
  /** Milliseconds for the block after which the next is asked as well, however steadily it drips. */
  readonly slow: number
  /** Ends the race. */
  readonly stop: AbortSignal
}

/** Before a peer that failed is asked again for the same block, in milliseconds. */
const PAUSE = 200

/** One after the other; the next at once when one hasn't it or fails, after `hedge` when it stalls. */
export function race(cid: CID, contenders: readonly Contender[], { hedge, slow, stop }: RaceOptions): Promise<Uint8Array> {
  const waiting = [...contenders]
  /** What to call off when all is settled: what is pending, the pauses and the watches. */
  const pending = new Set<() => void>()
  let underWay = 0
  let reason: unknown
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()

  const next = (): void => {
    const contender = waiting.shift()
    if (contender !== undefined) begin(contender)
    else if (underWay === 0) reject(unavailable(cid, reason))
  }
  const begin = (contender: Contender): void => {
    underWay++
    const begun = performance.now()
    const gaveAt = (): number => (performance.now() - begun < slow ? contender.gaveAt() : -Infinity)
    const unwatch = afterSilence(hedge, gaveAt, () => {
      contender.stalled()
      next()
    })
    pending.add(unwatch)
    const end = (): void => {
      underWay--
      unwatch()
      pending.delete(unwatch)
    }
    contender.ask(stop).then(
      (bytes) => {
        end()
        if (stop.aborted) return
        if (bytes === undefined) next()
        else resolve(bytes)
      },
      (error: unknown) => {
        end()
        if (stop.aborted) return
        // A lie is what the user should hear of, whatever else went wrong.
        if (!(reason instanceof VerificationError)) reason = error
        if (contender.retry()) pause(contender)
        next()
      },
    )
  }
  const pause = (contender: Contender): void => {
    underWay++
    const timer = setTimeout(() => {
      underWay--
      begin(contender)
    }, PAUSE)
    pending.add(() => clearTimeout(timer))
  }
  const onStop = (): void => reject(reason instanceof VerificationError ? reason : stop.reason)
  stop.addEventListener('abort', onStop, { once: true })
  next()
  return promise.finally(() => {
    stop.removeEventListener('abort', onStop)
    for (const callOff of pending) callOff()
  })
}

function unavailable(cid: CID, cause: unknown): Error {
  if (cause instanceof VerificationError) return cause
  const because = cause instanceof Error ? `: ${cause.message}` : ''
  return new ContentUnavailableError(`nobody gave block ${cid}${because}`, cause === undefined ? undefined : { cause })
}
