import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../storage/object-store.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { BlockSource } from '../block-source.ts'
import { ContentUnavailableError, VerificationError } from '../errors.ts'
import { afterSilence } from './after-silence.ts'
import type { BlockPeer } from './block-peer.ts'
import { LEAST_RATE, Patience } from '../patience.ts'
import { race, type Contender } from './race.ts'

export interface CombinedSourceOptions {
  /** Those that answer at once; closed with the source. */
  readonly peers: readonly BlockPeer[]
  /** Who finds others: asked when no peer has the block, or all stall. Closed with the source. */
  readonly general?: BlockSource | undefined
  /** Milliseconds in which the first block has to be here, and to wait for another while nobody gives anything. @default 30000 */
  readonly timeout?: number | undefined
  /** Milliseconds in which a peer gives nothing after which the next is asked as well. @default 2000 */
  readonly hedge?: number | undefined
  /** … and those in which it only drips. @default 4000 */
  readonly slow?: number | undefined
  /** Milliseconds that a peer who hardly gives anything may cost altogether. @default 30000 */
  readonly patience?: number | undefined
  readonly log: Logger
}

interface PeerState {
  readonly peer: BlockPeer
  readonly patience: Patience
  underWay: number
  /** Blocks in a row that it hadn't: who has the image is asked first. */
  misses: number
  /** Blocks that it let us wait for, ever: the others are asked before it. */
  stalls: number
  /** Failures in a row; those of requests that were under way together count as one. */
  failures: number
  failedAt: number
  /** When it last gave bytes. */
  gaveAt: number
  /** Why it is not asked any more. */
  dropped: string | undefined
}

const TIMEOUT = 30_000
const HEDGE = 2000
const SLOW = 4000
/** Bytes a second of a peer below which others are asked as well: a stream of music has more. */
const SLOW_RATE = 64 * 1024
const PATIENCE = 30_000
/** Failures in a row after which a peer is not asked again. */
const MAX_FAILURES = 3
/** Misses in a row, or stalls, after which a peer is asked after everyone else. */
const MANY_MISSES = 2

/** Why those are called off that are not needed any more. One for all: what a block would cost else is a stack trace. */
const SETTLED = new Error('somebody else gave the block')

/** The peers spread the load; one that lies is dropped for good, one that fails again and again or drips on and on as well. */
export class CombinedSource implements BlockSource {
  readonly #peers: PeerState[]
  readonly #general: BlockSource | undefined
  readonly #timeout: number
  readonly #hedge: number
  readonly #slow: number
  readonly #log: Logger
  #gaveAt = -Infinity
  /** Somebody has the image. */
  #found = false
  /** Blocks that `general` is looking for: it knows itself when to give up. */
  #underWay = 0

  constructor({ peers, general, timeout = TIMEOUT, hedge = HEDGE, slow = SLOW, patience = PATIENCE, log }: CombinedSourceOptions) {
    this.#peers = peers.map((peer) => ({
      peer, patience: new Patience(patience, LEAST_RATE), underWay: 0, misses: 0, stalls: 0, failures: 0, failedAt: 0, gaveAt: -Infinity, dropped: undefined,
    }))
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
    const stopTimer = afterSilence(this.#timeout, () => this.#aliveAt, () => {
      stop.abort(new ContentUnavailableError(`nobody gave block ${cid} within ${this.#timeout} ms`))
    })
    try {
      const bytes = await race(cid, this.#contenders(cid), { hedge: this.#hedge, slow: this.#slow, rate: SLOW_RATE, stop: stop.signal })
      this.#gaveAt = performance.now()
      this.#found = true
      return bytes
    } catch (error) {
      const failures = this.#peers.flatMap(({ dropped }) => dropped ?? [])
      if (!(error instanceof ContentUnavailableError) || error.failures.length > 0 || failures.length === 0) throw error
      throw new ContentUnavailableError(error.message, { cause: error, failures })
    } finally {
      stopTimer()
      signal?.removeEventListener('abort', abort)
      stop.abort(SETTLED)
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#peers.map(({ peer }) => peer.close()), this.#general?.close()])
  }

  /** While nobody has given a block the time runs, whatever drips; then as long as anything comes it does not. */
  get #aliveAt(): number {
    if (!this.#found) return -Infinity
    return this.#underWay > 0 ? performance.now() : this.#gaveAt
  }

  #contenders(cid: CID): Contender[] {
    const live = this.#peers.filter(({ dropped }) => dropped === undefined).sort((a, b) => a.stalls - b.stalls || a.misses - b.misses || a.underWay - b.underWay)
    const willing = ({ misses, stalls }: PeerState): boolean => misses < MANY_MISSES && stalls < MANY_MISSES
    const contender = (state: PeerState): Contender => ({
      ask: (signal, onBytes) => this.#ask(state, cid, signal, onBytes),
      retry: () => state.dropped === undefined,
      gaveAt: () => state.gaveAt,
      underWay: () => state.underWay,
      stalled: () => state.stalls++,
      unanswered: () => [`${state.peer.name}: no answer in time`],
    })
    const general = this.#general
    return [
      ...live.filter(willing).map(contender),
      ...(general === undefined ? [] : [this.#others(general, cid)]),
      ...live.filter((state) => !willing(state)).map(contender),
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
    return { ask, retry: () => false, gaveAt: () => -Infinity, underWay: () => 1, stalled: () => {}, unanswered: () => general.unanswered?.() ?? [] }
  }

  async #ask(state: PeerState, cid: CID, stop: AbortSignal, given: (bytes: number) => void): Promise<Uint8Array | undefined> {
    const begun = performance.now()
    const tooSlow = new AbortController()
    const signal = AbortSignal.any([stop, tooSlow.signal])
    const onBytes = (bytes: number): void => {
      state.gaveAt = this.#gaveAt = performance.now()
      state.patience.gave(bytes)
      given(bytes)
    }
    state.underWay++
    const done = state.patience.wait(() => {
      state.dropped ??= `${state.peer.name}: too slow`
      tooSlow.abort(new Error(state.dropped))
    })
    try {
      const bytes = await state.peer.ask(cid, { signal, onBytes })
      state.patience.answered()
      state.failures = 0
      state.misses = bytes === undefined ? state.misses + 1 : 0
      return bytes
    } catch (error) {
      if (!stop.aborted) this.#blame(state, begun, error)
      throw error
    } finally {
      done()
      state.underWay--
    }
  }

  #blame(state: PeerState, begun: number, err: unknown): void {
    if (begun >= state.failedAt) {
      state.failures++
      state.failedAt = performance.now()
    }
    if (err instanceof VerificationError || state.failures >= MAX_FAILURES) state.dropped ??= err instanceof Error ? err.message : String(err)
    this.#log.warn({ err, peer: state.peer.name, dropped: state.dropped !== undefined }, 'a peer did not give a block')
  }
}
