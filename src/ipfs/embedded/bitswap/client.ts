import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { BitswapMessage, Want } from './message.ts'
import { blockKey, keyOfBlock } from './block-key.ts'

interface Ask {
  readonly cid: CID
  readonly waiting: Set<PromiseWithResolvers<Uint8Array | undefined>>
}

/** What we want of the peers: one question for one block goes to one peer. */
export class BitswapClient {
  readonly #send: (peer: string, message: Pick<BitswapMessage, 'wants'>) => Promise<void>
  readonly #asks = new Map<string, Map<string, Ask>>()
  readonly #outbox = new Map<string, Map<string, Want>>()

  constructor(send: (peer: string, message: Pick<BitswapMessage, 'wants'>) => Promise<void>) {
    this.#send = send
  }

  /**
   * Asks one peer for a block, its hash function one that we know. Resolves with bytes that hash to the CID, or with
   * undefined when the peer says that it has none. Waits as long as the connection and the signal let it.
   */
  async want(peer: string, cid: CID, { signal }: AbortOptions = {}): Promise<Uint8Array | undefined> {
    signal?.throwIfAborted()
    const key = blockKey(cid)
    const asks = this.#asks.get(peer) ?? new Map<string, Ask>()
    this.#asks.set(peer, asks)
    const ask = asks.get(key) ?? { cid, waiting: new Set() }
    if (!asks.has(key)) this.#post(peer, key, wantOf(cid))
    asks.set(key, ask)
    const answer = Promise.withResolvers<Uint8Array | undefined>()
    ask.waiting.add(answer)
    const abort = (): void => answer.reject(signal?.reason)
    signal?.addEventListener('abort', abort)
    try {
      return await answer.promise
    } finally {
      signal?.removeEventListener('abort', abort)
      ask.waiting.delete(answer)
      if (ask.waiting.size === 0 && asks.get(key) === ask) {
        asks.delete(key)
        this.#post(peer, key, { cid: cid.bytes, cancel: true, have: false, sendDontHave: false })
      }
    }
  }

  /** Blocks that nobody waits for are dropped, and when nobody waits for any, not even hashed. */
  receive(peer: string, { blocks, presences }: BitswapMessage): void {
    const asks = this.#asks.get(peer)
    if (asks === undefined) return
    for (const { prefix, data } of blocks) {
      if (asks.size === 0) return
      const key = keyOfBlock(prefix, data)
      // A copy, because the message goes; and the session gives back what is a block's own.
      if (key !== undefined && asks.has(key)) settle(asks, key, new Uint8Array(data))
    }
    if (presences.every(({ has }) => has)) return
    const missing = new Set(presences.filter(({ has }) => !has).map(({ cid }) => Buffer.from(cid).toString('latin1')))
    for (const [key, { cid }] of asks) {
      if (missing.has(Buffer.from(cid.bytes).toString('latin1'))) settle(asks, key, undefined)
    }
  }

  /** What was asked or answered may have been lost. */
  askAgain(peer: string): void {
    for (const [key, { cid }] of this.#asks.get(peer) ?? []) this.#post(peer, key, wantOf(cid))
  }

  /** The peer is gone: nothing will come of what was asked. */
  disconnected(peer: string, reason: Error): void {
    const asks = this.#asks.get(peer)
    const waiting = [...(asks?.values() ?? [])].flatMap((ask) => [...ask.waiting])
    asks?.clear()
    this.#asks.delete(peer)
    this.#outbox.delete(peer)
    for (const answer of waiting) answer.reject(reason)
  }

  /** What is asked in one turn of the event loop goes out in one message. */
  #post(peer: string, key: string, want: Want): void {
    const box = this.#outbox.get(peer)
    if (box !== undefined) {
      box.set(key, want)
      return
    }
    this.#outbox.set(peer, new Map([[key, want]]))
    setImmediate(() => {
      const wants = this.#outbox.get(peer)
      this.#outbox.delete(peer)
      if (wants === undefined) return
      this.#send(peer, { wants: [...wants.values()] }).catch((error: Error) => this.disconnected(peer, error))
    })
  }
}

function wantOf(cid: CID): Want {
  return { cid: cid.bytes, cancel: false, have: false, sendDontHave: true }
}

function settle(asks: Map<string, Ask>, key: string, block: Uint8Array | undefined): void {
  const ask = asks.get(key)
  asks.delete(key)
  // A copy for each: what one has used up, as a file does of a leaf that it has twice, the next could not read any more.
  for (const [index, answer] of [...ask?.waiting ?? []].entries()) answer.resolve(index === 0 || block === undefined ? block : new Uint8Array(block))
}
