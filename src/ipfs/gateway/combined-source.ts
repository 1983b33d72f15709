import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../storage/object-store.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { BlockSource } from '../block-source.ts'
import { ContentUnavailableError, VerificationError } from '../errors.ts'

export interface AskOptions extends AbortOptions {
  /** Called whenever bytes arrive: who is slow does not stall. */
  readonly onBytes?: (() => void) | undefined
}

/** Somebody who can be asked for one block and answers. */
export interface BlockPeer {
  /** For the log. */
  readonly name: string
  /**
   * A verified block; undefined when the peer says that it hasn't it.
   *
   * @throws VerificationError when what it sent is not the block; any other error when it could not be asked
   */
  ask(cid: CID, options?: AskOptions): Promise<Uint8Array | undefined>
  close(): Promise<void>
}

export interface CombinedSourceOptions {
  /** Those that answer at once; closed with the source. */
  readonly peers: readonly BlockPeer[]
  /** Who finds others: asked when no peer has the block, or all stall. Closed with the source. */
  readonly general?: BlockSource | undefined
  /** Milliseconds to wait for a block while nobody gives anything. @default 30000 */
  readonly timeout?: number | undefined
  /** Milliseconds in which a peer gives nothing after which the next is asked as well. @default 2000 */
  readonly hedge?: number | undefined
  /** Milliseconds for one block after which the next is asked as well, however steadily it drips. @default 30000 */
  readonly slow?: number | undefined
  readonly log: Logger
}

interface PeerState {
  readonly peer: BlockPeer
  underWay: number
  /** Blocks in a row that it hadn't or let us wait for: who has the image is asked first. */
  misses: number
  /** Failures in a row; those of requests that were under way together count as one. */
  failures: number
  failedAt: number
  /** When it last gave bytes. */
  gaveAt: number
  dropped: boolean
}

interface Contender {
  ask(signal: AbortSignal): Promise<Uint8Array | undefined>
  /** May be asked again for the same block. */
  retry(): boolean
  /** When it last gave bytes, of whichever block. */
  gaveAt(): number
  /** It gives nothing; others are asked as well. */
  stalled(): void
}

const TIMEOUT = 30_000
const HEDGE = 2000
const SLOW = 30_000
/** Failures in a row after which a peer is not asked again. */
const MAX_FAILURES = 3
/** Misses in a row after which a peer is asked after everyone else. */
const MANY_MISSES = 2
/** Before a peer that failed is asked again for the same block, in milliseconds. */
const PAUSE = 200

/** The peers spread the load; one that lies is dropped for good, one that fails again and again as well. */
export class CombinedSource implements BlockSource {
  readonly #peers: PeerState[]
  readonly #general: BlockSource | undefined
  readonly #timeout: number
  readonly #hedge: number
  readonly #slow: number
  readonly #log: Logger
  #gaveAt = -Infinity
  /** Blocks that `general` is looking for: it knows itself when to give up. */
  #underWay = 0

  constructor({ peers, general, timeout = TIMEOUT, hedge = HEDGE, slow = SLOW, log }: CombinedSourceOptions) {
    this.#peers = peers.map((peer) => ({ peer, underWay: 0, misses: 0, failures: 0, failedAt: 0, gaveAt: -Infinity, dropped: false }))
    this.#general = general
    this.#timeout = timeout
    this.#hedge = hedge
    this.#slow = slow
    this.#log = log
  }

  async fetch(cid: CID, { signal }: AbortOptions = {}): Promise<Uint8Array> {
    signal?.throwIfAborted()
    const stop = new AbortController()
    const abort = (): void => stop.abort(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    const stopTimer = afterSilence(this.#timeout, () => (this.#underWay > 0 ? performance.now() : this.#gaveAt), () => {
      stop.abort(new ContentUnavailableError(`nobody gave block ${cid} within ${this.#timeout} ms`))
    })
    try {
      const bytes = await this.#race(cid, stop.signal)
      this.#gaveAt = performance.now()
      return bytes
    } finally {
      stopTimer()
      signal?.removeEventListener('abort', abort)
      stop.abort()
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#peers.map(({ peer }) => peer.close()), this.#general?.close()])
  }

  /** One after the other; the next at once when one hasn't it or fails, after `hedge` when it stalls. */
  #race(cid: CID, stop: AbortSignal): Promise<Uint8Array> {
    const waiting = this.#contenders(cid)
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
      const gaveAt = (): number => (performance.now() - begun < this.#slow ? contender.gaveAt() : -Infinity)
      const unwatch = afterSilence(this.#hedge, gaveAt, () => {
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

  #contenders(cid: CID): Contender[] {
    const live = this.#peers.filter(({ dropped }) => !dropped).sort((a, b) => a.misses - b.misses || a.underWay - b.underWay)
    const contender = (state: PeerState): Contender => ({
      ask: (signal) => this.#ask(state, cid, signal),
      retry: () => !state.dropped,
      gaveAt: () => state.gaveAt,
      stalled: () => state.misses++,
    })
    const general = this.#general
    return [
      ...live.filter(({ misses }) => misses < MANY_MISSES).map(contender),
      ...(general === undefined ? [] : [this.#others(general, cid)]),
      ...live.filter(({ misses }) => misses >= MANY_MISSES).map(contender),
    ]
  }

  #others(general: BlockSource, cid: CID): Contender {
    const ask = async (signal: AbortSignal): Promise<Uint8Array> => {
      this.#underWay++
      try {
        return await general.fetch(cid, { signal })
      } finally {
        this.#underWay--
      }
    }
    return { ask, retry: () => false, gaveAt: () => -Infinity, stalled: () => {} }
  }

  async #ask(state: PeerState, cid: CID, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const begun = performance.now()
    const onBytes = (): void => {
      state.gaveAt = this.#gaveAt = performance.now()
    }
    state.underWay++
    try {
      const bytes = await state.peer.ask(cid, { signal, onBytes })
      state.failures = 0
      state.misses = bytes === undefined ? state.misses + 1 : 0
      return bytes
    } catch (error) {
      if (!signal.aborted) this.#blame(state, begun, error)
      throw error
    } finally {
      state.underWay--
    }
  }

  #blame(state: PeerState, begun: number, err: unknown): void {
    if (begun >= state.failedAt) {
      state.failures++
      state.failedAt = performance.now()
    }
    state.dropped ||= err instanceof VerificationError || state.failures >= MAX_FAILURES
    this.#log.warn({ err, peer: state.peer.name, dropped: state.dropped }, 'a peer did not give a block')
  }
}

function unavailable(cid: CID, cause: unknown): Error {
  if (cause instanceof VerificationError) return cause
  const because = cause instanceof Error ? `: ${cause.message}` : ''
  return new ContentUnavailableError(`nobody gave block ${cid}${because}`, cause === undefined ? undefined : { cause })
}

/** Runs `action` once, when `ms` have passed since now and since the time that `last` tells. Returns what calls it off. */
function afterSilence(ms: number, last: () => number, action: () => void): () => void {
  let timer = setTimeout(check, ms)
  function check(): void {
    const left = last() + ms - performance.now()
    if (left <= 0) action()
    else timer = setTimeout(check, left)
  }
  return () => clearTimeout(timer)
}
