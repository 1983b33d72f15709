import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../storage/object-store.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { BlockSource } from '../block-source.ts'
import { ContentUnavailableError, VerificationError } from '../errors.ts'
import { afterSilence } from './after-silence.ts'
import type { BlockPeer } from './block-peer.ts'
import { race, type Contender } from './race.ts'

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

const TIMEOUT = 30_000
const HEDGE = 2000
const SLOW = 30_000
/** Failures in a row after which a peer is not asked again. */
const MAX_FAILURES = 3
/** Misses in a row after which a peer is asked after everyone else. */
const MANY_MISSES = 2

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
      const bytes = await race(cid, this.#contenders(cid), { hedge: this.#hedge, slow: this.#slow, stop: stop.signal })
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
