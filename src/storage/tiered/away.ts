import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../telemetry/logger.ts'
import { reasonOf } from '../../telemetry/reason.ts'
import { ConflictError, DigestMismatchError, ObjectUnknownError, OffsetMismatchError, UploadBusyError, UploadUnknownError } from '../errors.ts'
import type { AbortOptions } from '../object-store.ts'

/** For how long the copy is left alone at first, and at most, in milliseconds. */
const SHORTEST = 1000
const LONGEST = 60_000
/** For how long it is known to take changes, in milliseconds. */
const RECENT = 1000
/** Milliseconds that a look may take. */
const LOOK = 3000
/** Milliseconds that what was given up may take to end. */
export const GRACE = 1000
/** Of what was given up, so much may never come back: each may hold one of the threads that everything else needs, too. */
const MOST_LOST = 4
/** Who says so has answered. */
const ANSWERS = [ConflictError, DigestMismatchError, ObjectUnknownError, OffsetMismatchError, UploadBusyError, UploadUnknownError]

/** The copy was not asked, or did not answer in time. */
export class AwayError extends Error {
  override readonly name = 'AwayError'
}

export interface AskOptions extends AbortOptions {
  /** Milliseconds that the answer may take. */
  readonly limit: number
  /** It changes something: who gives up waits a moment for it to end. @default false */
  readonly isChange?: boolean | undefined
}

export interface AwayParts {
  /** What it can't be used for, for people. */
  readonly what: string
  /** Whether it can be used again. */
  readonly look: (signal: AbortSignal) => Promise<unknown>
  readonly log: Logger
}

/**
 * Whether the copy is used: once it has failed or was silent it is left alone for a while, which grows, and then looked at
 * beside everything else, so that nobody waits for it twice.
 */
export class Away {
  readonly #parts: AwayParts
  #reason: string | undefined
  #wait = SHORTEST
  #until = 0
  #looking: Promise<void> | undefined
  #lost = 0
  #changedAt = -Infinity

  constructor(parts: AwayParts) {
    this.#parts = parts
  }

  /** Why it is left alone; undefined: it is not. */
  get reason(): string | undefined {
    return this.#reason
  }

  /** @throws AwayError while it is left alone */
  assertHere(): void {
    if (this.#reason === undefined) return
    void this.look()
    throw new AwayError(`the copy is left alone: ${this.#reason}`)
  }

  /** What `work` gives. @throws AwayError, without asking or when there is no answer within the limit; whatever it throws, which counts as well */
  async ask<T>(work: (signal: AbortSignal) => Promise<T>, { limit, signal, isChange = false }: AskOptions): Promise<T> {
    signal?.throwIfAborted()
    this.assertHere()
    try {
      const result = await this.#within(limit, signal, work, isChange ? GRACE : 0)
      this.#wait = SHORTEST
      if (isChange) this.#changedAt = performance.now()
      return result
    } catch (error) {
      signal?.throwIfAborted()
      this.failed(error)
      throw error
    }
  }

  /** @throws AwayError, or whatever it says, when it does not answer, and took no change just now either */
  async assertAnswers(signal?: AbortSignal): Promise<void> {
    if (this.#reason !== undefined) await this.look()
    this.assertHere()
    if (performance.now() - this.#changedAt > RECENT) await this.ask(this.#parts.look, { limit: LOOK, signal })
  }

  /** What came of it elsewhere. */
  failed(error: unknown): void {
    if (error instanceof TypeError || ANSWERS.some((kind) => error instanceof kind)) return
    const isNews = this.#reason === undefined
    this.#reason = reasonOf(error)
    if (!isNews) return
    this.#until = performance.now() + this.#wait
    this.#parts.log.warn({ err: error, milliseconds: this.#wait }, `the copy can't be ${this.#parts.what} and is left alone for a while`)
    this.#wait = Math.min(LONGEST, this.#wait * 2)
  }

  /** Looks whether it is here again, where its time has come and it has not kept too much of what it was asked. */
  async look(): Promise<void> {
    if (this.#reason === undefined || performance.now() < this.#until || this.#lost >= MOST_LOST) return
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined))
    await this.#looking
  }

  async #look(): Promise<void> {
    try {
      await this.#within(LOOK, undefined, this.#parts.look)
      // What was asked before may have been found lost meanwhile.
      if (this.#lost >= MOST_LOST) return
      this.#reason = undefined
      this.#parts.log.info(`the copy can be ${this.#parts.what} again`)
    } catch (error) {
      this.#reason = reasonOf(error)
      this.#until = performance.now() + this.#wait
      this.#wait = Math.min(LONGEST, this.#wait * 2)
    }
  }

  /** As `within`, and counts what does not come back though it was given up. */
  async #within<T>(limit: number, signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>, grace = 0): Promise<T> {
    let isOut = false
    let isLost = false
    const back = (): void => {
      isOut = false
      if (isLost) this.#lost--
    }
    try {
      return await within(limit, signal, (asking) => {
        const working = work(asking)
        isOut = true
        working.then(back, back)
        return working
      }, grace)
    } finally {
      if (isOut) {
        setTimeout(() => {
          if (!isOut) return
          isLost = true
          if (++this.#lost >= MOST_LOST) this.failed(new AwayError(`${this.#lost} times it was asked and never came back`))
        }, GRACE).unref()
      }
    }
  }
}

/**
 * Also where `work` does not look at its signal.
 *
 * @param grace milliseconds that it may take to end once the signal has aborted
 */
export async function within<T>(limit: number, signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>, grace = 0): Promise<T> {
  const stop = new AbortController()
  const { promise: ended, reject } = Promise.withResolvers<never>()
  const end = (reason: unknown): void => {
    stop.abort(reason)
    reject(reason)
  }
  const abort = (): void => end(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  const timer = setTimeout(() => end(new AwayError(`no answer within ${limit / 1000} s`)), limit)
  let working: Promise<T> | undefined
  try {
    working = work(stop.signal)
    return await Promise.race([working, ended])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
    if (grace > 0 && signal?.aborted === true) await settled(working, grace)
  }
}

/** Waits for the end of something, however it ends, up to some milliseconds. */
export async function settled(work: Promise<unknown> | undefined, milliseconds: number): Promise<void> {
  if (work === undefined) return
  const stop = new AbortController()
  await Promise.race([work.then(() => {}, () => {}), sleep(milliseconds, undefined, { signal: stop.signal }).catch(() => {})])
  stop.abort()
}
