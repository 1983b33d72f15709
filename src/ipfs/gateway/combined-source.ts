import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../storage/object-store.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { BlockSource } from '../block-source.ts'
import { ContentUnavailableError, VerificationError } from '../errors.ts'
import { inlined } from '../unixfs/block.ts'

/** Somebody who can be asked for one block and answers. */
export interface BlockPeer {
  /** For the log. */
  readonly name: string
  /**
   * A verified block; undefined when the peer says that it hasn't it.
   *
   * @throws VerificationError when what it sent is not the block; any other error when it could not be asked
   */
  ask(cid: CID, options?: AbortOptions): Promise<Uint8Array | undefined>
  close(): Promise<void>
}

export interface CombinedSourceOptions {
  /** Those that answer at once; closed with the source. */
  readonly peers: readonly BlockPeer[]
  /** Who finds others: asked when no peer has the block, or all stall. Closed with the source. */
  readonly general?: BlockSource | undefined
  /** Milliseconds for one block, whoever is asked. @default 30000 */
  readonly timeout?: number | undefined
  /** Milliseconds without an answer after which the next is asked as well. @default 2000 */
  readonly hedge?: number | undefined
  readonly log: Logger
}

interface PeerState {
  readonly peer: BlockPeer
  underWay: number
  /** Blocks in a row that it hadn't: who has the image is asked first. */
  misses: number
  /** Failures in a row; those of requests that were under way together count as one. */
  failures: number
  failedAt: number
  dropped: boolean
}

interface Contender {
  ask(signal: AbortSignal): Promise<Uint8Array | undefined>
  /** May be asked again for the same block. */
  readonly retry: () => boolean
}

const TIMEOUT = 30_000
const HEDGE = 2000
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
  readonly #log: Logger

  constructor({ peers, general, timeout = TIMEOUT, hedge = HEDGE, log }: CombinedSourceOptions) {
    this.#peers = peers.map((peer) => ({ peer, underWay: 0, misses: 0, failures: 0, failedAt: 0, dropped: false }))
    this.#general = general
    this.#timeout = timeout
    this.#hedge = hedge
    this.#log = log
  }

  async fetch(cid: CID, { signal }: AbortOptions = {}): Promise<Uint8Array> {
    const inline = inlined(cid)
    if (inline !== undefined) return inline
    signal?.throwIfAborted()
    const stop = new AbortController()
    const timer = setTimeout(() => stop.abort(new ContentUnavailableError(`nobody gave block ${cid} within ${this.#timeout} ms`)), this.#timeout)
    const abort = (): void => stop.abort(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      return await this.#race(cid, stop.signal)
    } finally {
      clearTimeout(timer)
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
    let underWay = 0
    let reason: unknown
    return new Promise((resolve, reject) => {
      const timers = new Set<NodeJS.Timeout>()
      const settle = (settled: () => void): void => {
        for (const timer of timers) clearTimeout(timer)
        stop.removeEventListener('abort', onStop)
        settled()
      }
      const onStop = (): void => settle(() => reject(reason instanceof VerificationError ? reason : stop.reason))
      const later = (ms: number, run: () => void): NodeJS.Timeout => {
        const timer = setTimeout(() => {
          timers.delete(timer)
          run()
        }, ms)
        timers.add(timer)
        return timer
      }
      const next = (): void => {
        const contender = waiting.shift()
        if (contender !== undefined) begin(contender)
        else if (underWay === 0 && timers.size === 0) settle(() => reject(unavailable(cid, reason)))
      }
      const begin = (contender: Contender): void => {
        underWay++
        const hedge = later(this.#hedge, next)
        const done = (): void => {
          underWay--
          clearTimeout(hedge)
          timers.delete(hedge)
        }
        contender.ask(stop).then(
          (bytes) => {
            done()
            if (bytes === undefined) next()
            else settle(() => resolve(bytes))
          },
          (error: unknown) => {
            done()
            if (stop.aborted) return
            // A lie is what the user should hear of, whatever else went wrong.
            if (!(reason instanceof VerificationError)) reason = error
            if (contender.retry()) later(PAUSE, () => begin(contender))
            next()
          },
        )
      }
      stop.addEventListener('abort', onStop, { once: true })
      next()
    })
  }

  #contenders(cid: CID): Contender[] {
    const live = this.#peers.filter(({ dropped }) => !dropped).sort((a, b) => a.misses - b.misses || a.underWay - b.underWay)
    const contender = (state: PeerState): Contender => ({ ask: (signal) => this.#ask(state, cid, signal), retry: () => !state.dropped })
    const general = this.#general
    return [
      ...live.filter(({ misses }) => misses < MANY_MISSES).map(contender),
      ...(general === undefined ? [] : [{ ask: (signal: AbortSignal) => general.fetch(cid, { signal }), retry: () => false }]),
      ...live.filter(({ misses }) => misses >= MANY_MISSES).map(contender),
    ]
  }

  async #ask(state: PeerState, cid: CID, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const begun = performance.now()
    state.underWay++
    try {
      const bytes = await state.peer.ask(cid, { signal })
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
