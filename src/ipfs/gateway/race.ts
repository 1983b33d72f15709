import type { CID } from 'multiformats/cid'
import { ContentUnavailableError, VerificationError } from '../errors.ts'
import { afterSilence } from './after-silence.ts'

/** Somebody who may have a block. */
export interface Contender {
  /** @throws ContentUnavailableError of somebody who has asked others, with those that failed; any other error when he failed himself */
  ask(signal: AbortSignal, onBytes: (bytes: number) => void): Promise<Uint8Array | undefined>
  /** May be asked again for the same block. */
  retry(): boolean
  /** When it last gave bytes, of whichever block. */
  gaveAt(): number
  /** Blocks under way from it, this one included: what it gives is shared by them. */
  underWay(): number
  /** It gives nothing, or little; others are asked as well. */
  stalled(): void
  /** Who has not answered, while it is asked. */
  unanswered(): readonly string[]
}

export interface RaceOptions {
  /** Milliseconds in which a contender gives nothing after which the next is asked as well. */
  readonly hedge: number
  /** … and those in which it gives less than `rate` lets expect. */
  readonly slow: number
  /** Bytes a second that a contender should give, all its blocks together. */
  readonly rate: number
  /** Ends the race. */
  readonly stop: AbortSignal
}

/** Before a peer that failed is asked again for the same block, in milliseconds. */
const PAUSE = 200

/** One after the other; the next at once when one hasn't it or fails, and soon when it stalls or drips. */
export function race(cid: CID, contenders: readonly Contender[], { hedge, slow, rate, stop }: RaceOptions): Promise<Uint8Array> {
  const waiting = [...contenders]
  /** What to call off when all is settled: the pauses and the watches. */
  const pending = new Set<() => void>()
  const asked = new Set<Contender>()
  const failures = new Map<Contender, readonly string[]>()
  let underWay = 0
  let reason: unknown
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()

  const next = (): void => {
    const contender = waiting.shift()
    if (contender !== undefined) begin(contender)
    else if (underWay === 0) reject(unavailable(`nobody gave block ${cid}`, reason))
  }
  const begin = (contender: Contender): void => {
    underWay++
    asked.add(contender)
    let given = 0
    const isEnough = (): boolean => {
      const enough = given * contender.underWay() * 1000 >= rate * slow
      given = 0
      return enough
    }
    const unwatch = watch(contender, isEnough, () => {
      contender.stalled()
      next()
    })
    pending.add(unwatch)
    const end = (): void => {
      underWay--
      asked.delete(contender)
      unwatch()
      pending.delete(unwatch)
    }
    contender.ask(stop, (bytes) => void (given += bytes)).then(
      (bytes) => {
        end()
        if (stop.aborted) return
        failures.delete(contender)
        if (bytes === undefined) next()
        else resolve(bytes)
      },
      (error: unknown) => {
        end()
        if (stop.aborted) return
        failures.set(contender, error instanceof ContentUnavailableError ? error.failures : [messageOf(error)])
        // A lie is what the user should hear of, whatever else went wrong.
        if (!(reason instanceof VerificationError)) reason = error
        if (contender.retry()) pause(contender)
        next()
      },
    )
  }
  const watch = (contender: Contender, isEnough: () => boolean, stalls: () => void): () => void => {
    const stalled = (): void => {
      unwatch()
      stalls()
    }
    const unwatchSilence = afterSilence(hedge, contender.gaveAt, stalled)
    const timer = setInterval(() => {
      if (!isEnough()) stalled()
    }, slow)
    const unwatch = (): void => {
      unwatchSilence()
      clearInterval(timer)
    }
    return unwatch
  }
  const pause = (contender: Contender): void => {
    underWay++
    const timer = setTimeout(() => {
      underWay--
      begin(contender)
    }, PAUSE)
    pending.add(() => clearTimeout(timer))
  }
  const unavailable = (message: string, cause: unknown): Error => {
    if (cause instanceof VerificationError) return cause
    const all = [...failures.values(), ...[...asked].map((contender) => contender.unanswered())].flat()
    return new ContentUnavailableError(message, { failures: all, ...(cause !== undefined && { cause }) })
  }
  const onStop = (): void => {
    if (reason instanceof VerificationError) reject(reason)
    else if (stop.reason instanceof ContentUnavailableError) reject(unavailable(stop.reason.message, reason))
    else reject(stop.reason)
  }
  stop.addEventListener('abort', onStop, { once: true })
  next()
  return promise.finally(() => {
    stop.removeEventListener('abort', onStop)
    for (const callOff of pending) callOff()
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
