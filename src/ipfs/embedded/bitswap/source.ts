import type { PeerId } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { BlockSource } from '../../block-source.ts'
import { ContentUnavailableError, VerificationError } from '../../errors.ts'
import { LEAST_RATE, Patience } from '../../patience.ts'
import { MAX_BLOCK_SIZE } from '../../unixfs/block.ts'
import type { Bitswap } from './service.ts'
import { PeerSearch, type FindPeers } from '../peer-search.ts'
import type { GivenPeer } from '../static-peers.ts'

/** Peers asked at once while nobody is known to have the image: for its root, which is small, and for any other block. */
const STRANGERS_FOR_ROOT = 16
const STRANGERS_AT_ONCE = 3
/** Milliseconds without a block from a peer after which the next one is asked as well. */
const PATIENCE = 4_000
/** Milliseconds that all may cost altogether who hardly give anything, at least. */
const PATIENCE_WITH_ALL = 30_000

export interface BitswapSourceOptions {
  readonly bitswap: Pick<Bitswap, 'peers' | 'onPeer' | 'want'>
  /** Connects to peers that may have the image. */
  readonly find: FindPeers
  /** Those who were named, and so have to answer before nobody has it. */
  readonly given: () => readonly GivenPeer[]
  /** Root of the image. */
  readonly root: CID
  /** Milliseconds to wait for somebody who has a block, while nobody gives anything. */
  readonly findTimeout: number
  /** Whether `find` finds all there are, so that once they have said no there is nobody to wait for. */
  readonly exhaustive: boolean
  /** Ends all fetches. */
  readonly signal: AbortSignal
}

/** What became of asking a peer for one block. */
interface Asked {
  readonly since: number
  state: 'open' | 'no' | 'failed'
}

interface Giver {
  readonly peer: PeerId
  /** Blocks under way from it. */
  asked: number
  gaveAt: number
}

/**
 * Blocks of one image over bitswap. Whoever gave one block is asked first for the others, those who have the least to
 * do before the rest; strangers when none of them has it. Who lets us wait is a stranger again until it gives.
 */
export class BitswapSource implements BlockSource {
  readonly #bitswap: BitswapSourceOptions['bitswap']
  readonly #given: BitswapSourceOptions['given']
  readonly #root: CID
  readonly #findTimeout: number
  readonly #exhaustive: boolean
  readonly #search: PeerSearch
  readonly #close = new AbortController()
  readonly #closed: AbortSignal
  readonly #givers = new Map<string, Giver>()
  readonly #patience: Patience
  /** Who has answered anything. */
  readonly #answered = new Set<string>()
  #gaveAt = 0

  constructor({ bitswap, find, given, root, findTimeout, exhaustive, signal }: BitswapSourceOptions) {
    this.#bitswap = bitswap
    this.#given = given
    this.#root = root
    this.#findTimeout = findTimeout
    this.#patience = new Patience(Math.max(findTimeout, PATIENCE_WITH_ALL), LEAST_RATE)
    this.#exhaustive = exhaustive
    this.#closed = AbortSignal.any([this.#close.signal, signal])
    this.#search = new PeerSearch(find, root, this.#closed)
  }

  async fetch(cid: CID, { signal }: AbortOptions = {}): Promise<Uint8Array> {
    const done = new AbortController()
    const stop = AbortSignal.any([done.signal, this.#closed, ...(signal === undefined ? [] : [signal])])
    try {
      const block = await this.#hunt(cid, stop)
      if (block.length > MAX_BLOCK_SIZE) throw new VerificationError(`block ${cid} is larger than ${MAX_BLOCK_SIZE} bytes`)
      return block
    } finally {
      done.abort()
    }
  }

  async close(): Promise<void> {
    this.#close.abort(new ContentUnavailableError('the search was ended', { failures: [`the session of ${this.#root} was closed`] }))
  }

  unanswered(): readonly string[] {
    return this.#given().flatMap(({ address, id }) => {
      if (id === undefined) return [`${address}: not connected`]
      return this.#answered.has(id.toString()) ? [] : [`${address}: no answer`]
    })
  }

  /** Asks peer after peer until one gives the block. */
  #hunt(cid: CID, stop: AbortSignal): Promise<Uint8Array> {
    const start = Date.now()
    const asked = new Map<string, Asked>()
    return new Promise((resolve, reject) => {
      const timer = setInterval(() => step(), Math.min(PATIENCE, this.#findTimeout) / 4)
      const forgetPeer = this.#bitswap.onPeer((peer) => retry(peer))
      const forgetSearch = this.#search.onFound((peer) => retry(peer))
      const endPatience = this.#patience.wait(() => fail('too little came in too long a time'))
      const finish = (settle: () => void): void => {
        clearInterval(timer)
        endPatience()
        forgetPeer()
        forgetSearch()
        stop.removeEventListener('abort', aborted)
        settle()
      }
      const aborted = (): void => finish(() => reject(stop.reason))
      const fail = (why: string): void => finish(() => reject(new ContentUnavailableError(`${cid}: ${why}`, { failures: this.unanswered() })))
      /** A peer that is (again) connected is worth another question, unless it has said no. */
      const retry = (peer: PeerId): void => {
        if (asked.get(peer.toString())?.state === 'failed') asked.delete(peer.toString())
        step()
      }
      const step = (): void => {
        if (stop.aborted) return
        for (let peer = this.#next(cid, asked); peer !== undefined; peer = this.#next(cid, asked)) void ask(peer)
        if (Date.now() - Math.max(start, this.#gaveAt) >= this.#findTimeout) {
          return fail(`nobody gave it within ${this.#findTimeout / 1000} s`)
        }
        if ([...asked.values()].some(({ state }) => state === 'open')) return
        if (this.#exhaustive && this.#search.endedSince(start) && ![...asked.values()].some(({ state }) => state === 'failed')) {
          return fail(asked.size === 0 ? 'there is nobody to ask' : `none of ${asked.size} peers has it`)
        }
        this.#search.start(() => step())
      }
      const ask = async (peer: PeerId): Promise<void> => {
        const question: Asked = { since: Date.now(), state: 'open' }
        asked.set(peer.toString(), question)
        const block = await this.#ask(peer, cid, stop).catch(() => 'failed' as const)
        if (block instanceof Uint8Array) return finish(() => resolve(block))
        question.state = block ?? 'no'
        step()
      }
      if (stop.aborted) return aborted()
      stop.addEventListener('abort', aborted)
      step()
    })
  }

  /** Whom to ask now; undefined while enough have been. */
  #next(cid: CID, asked: ReadonlyMap<string, Asked>): PeerId | undefined {
    const now = Date.now()
    const patient = ([name, { since }]: [string, Asked]): boolean => now - Math.max(since, this.#givers.get(name)?.gaveAt ?? 0) < PATIENCE
    const questions = [...asked].filter(([, { state }]) => state === 'open')
    const open = questions.filter(patient)
    for (const [name] of questions.filter((question) => !patient(question))) this.#givers.delete(name)
    const givers = [...this.#givers].filter(([name]) => !asked.has(name))
    const giver = givers.sort(([, a], [, b]) => a.asked - b.asked)[0]?.[1].peer
    if (giver !== undefined) return open.length === 0 ? giver : undefined
    const atOnce = cid.equals(this.#root) ? STRANGERS_FOR_ROOT : STRANGERS_AT_ONCE
    if (open.some(([name]) => this.#givers.has(name)) || open.length >= atOnce) return undefined
    return [...this.#search.found, ...this.#bitswap.peers].find((peer) => !asked.has(peer.toString()))
  }

  async #ask(peer: PeerId, cid: CID, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const name = peer.toString()
    const giver = this.#givers.get(name)
    if (giver !== undefined) giver.asked++
    try {
      const block = await this.#bitswap.want(peer, cid, { signal })
      this.#answered.add(name)
      if (block !== undefined) {
        this.#gaveAt = Date.now()
        this.#patience.gave(block.length)
        this.#patience.answered()
        const known = this.#givers.get(name) ?? giver ?? { peer, asked: 0, gaveAt: 0 }
        known.gaveAt = this.#gaveAt
        this.#givers.set(name, known)
      }
      return block
    } catch (error) {
      // It may be gone for good: until it gives again it is a stranger.
      if (!signal.aborted) this.#givers.delete(name)
      throw error
    } finally {
      if (giver !== undefined) giver.asked--
    }
  }
}
