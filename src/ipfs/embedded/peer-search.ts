import type { PeerId } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../storage/object-store.ts'

/** Connects to peers that may have a DAG and tells of each; resolves when there are no more to be found now. */
export type FindPeers = (root: CID, found: (peer: PeerId) => void, options: AbortOptions) => Promise<void>

/** Milliseconds between the end of a search and the next one, doubled every time. */
const PAUSE = 1_000
const MAX_PAUSE = 15_000

/** The search for peers of one image, shared by all who look for its blocks. */
export class PeerSearch {
  readonly #find: FindPeers
  readonly #root: CID
  readonly #signal: AbortSignal
  readonly #found = new Map<string, PeerId>()
  readonly #listeners = new Set<(peer: PeerId) => void>()
  #running: Promise<void> | undefined
  #startedAt = -Infinity
  #endedAt = -Infinity
  #pause = PAUSE

  constructor(find: FindPeers, root: CID, signal: AbortSignal) {
    this.#find = find
    this.#root = root
    this.#signal = signal
  }

  /** All peers that were found so far. */
  get found(): Iterable<PeerId> {
    return this.#found.values()
  }

  /** Calls the listener for each peer that is found, until the function that is returned is called. */
  onFound(listener: (peer: PeerId) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Whether a search that began at this time or later has ended. */
  endedSince(time: number): boolean {
    return this.#endedAt >= this.#startedAt && this.#startedAt >= time
  }

  /** Searches, unless a search is under way or has just ended; `ended` is called when one that is under way has. */
  start(ended: () => void): void {
    if (this.#running === undefined && Date.now() - this.#endedAt < this.#pause && this.#endedAt > -Infinity) return
    this.#running ??= this.#run()
    void this.#running.then(ended)
  }

  async #run(): Promise<void> {
    if (this.#endedAt > -Infinity) this.#pause = Math.min(this.#pause * 2, MAX_PAUSE)
    this.#startedAt = Date.now()
    try {
      await this.#find(this.#root, (peer) => this.#add(peer), { signal: this.#signal })
    } catch {
      // A search that failed has found nobody; the time that is left decides whether there is another.
    } finally {
      this.#endedAt = Date.now()
      this.#running = undefined
    }
  }

  #add(peer: PeerId): void {
    this.#found.set(peer.toString(), peer)
    for (const listener of this.#listeners) listener(peer)
  }
}
