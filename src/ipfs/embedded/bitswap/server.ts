import { setImmediate } from 'node:timers/promises'
import { CID } from 'multiformats/cid'
import { RegistryError } from '../../../oci/errors.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import type { BlockReader } from '../../node.ts'
import { MAX_BLOCK_SIZE } from '../../unixfs/block.ts'
import type { BitswapMessage, Presence, SentBlock, Want } from './message.ts'
import { blockPrefix } from './block-key.ts'

/** Wants of one peer at most, as in Kubo; what goes beyond is not answered. */
const MAX_WANTS = 1024
/** Bytes of blocks after which a message goes out: one block of an image, or many small ones. */
const FULL_MESSAGE = 512 * 1024
/** Answers in a message at most. */
const MAX_ANSWERS = 256
/** Peers served at the same time: as many messages are in memory. */
const MAX_SERVED = 64

/** What is kept of a want: its CID is its key, so that nothing of the message stays. */
type Kept = Pick<Want, 'have' | 'sendDontHave'>

interface Answer {
  readonly blocks: SentBlock[]
  readonly presences: Presence[]
}

/** Answers what peers want from the blocks that are here: peer by peer in the order of their questions. */
export class BitswapServer {
  readonly #blocks: BlockReader
  readonly #send: (peer: string, message: Answer) => Promise<void>
  readonly #log: Logger
  readonly #wants = new Map<string, Map<string, Kept>>()
  /** Peers with wants whom nobody serves yet. */
  readonly #waiting = new Set<string>()
  readonly #served = new Set<string>()

  constructor(blocks: BlockReader, send: (peer: string, message: Answer) => Promise<void>, log: Logger) {
    this.#blocks = blocks
    this.#send = send
    this.#log = log
  }

  receive(peer: string, { wants, full }: BitswapMessage): void {
    if (wants.length === 0 && !full) return
    const known = this.#wants.get(peer) ?? new Map<string, Kept>()
    if (full) known.clear()
    for (const { cid, cancel, have, sendDontHave } of wants) {
      const key = Buffer.from(cid).toString('latin1')
      const before = known.get(key)
      if (cancel) known.delete(key)
      // Who wants the block learns with it that it is here.
      else if (before !== undefined || known.size < MAX_WANTS) known.set(key, { have: have && before?.have !== false, sendDontHave })
    }
    this.#wants.set(peer, known)
    if (known.size === 0 || this.#served.has(peer)) return
    this.#waiting.add(peer)
    this.#next()
  }

  disconnected(peer: string): void {
    this.#wants.delete(peer)
    this.#waiting.delete(peer)
  }

  #next(): void {
    for (const peer of this.#waiting) {
      if (this.#served.size >= MAX_SERVED) return
      this.#waiting.delete(peer)
      this.#served.add(peer)
      void this.#serve(peer).finally(() => {
        this.#served.delete(peer)
        if ((this.#wants.get(peer)?.size ?? 0) > 0) this.#waiting.add(peer)
        this.#next()
      })
    }
  }

  /** One message is read from the disk while the one before it goes out; after each, those who wait have their turn. */
  async #serve(peer: string): Promise<void> {
    let sending: Promise<void> = Promise.resolve()
    try {
      for (let answer = await this.#answer(peer); answer !== undefined; answer = await this.#answer(peer)) {
        await sending
        sending = this.#send(peer, answer)
        // Whoever fails is seen at the next `await sending`.
        sending.catch(() => {})
        // What is not here is found out without leaving this turn of the event loop, in which HTTP waits.
        await setImmediate()
        if (this.#waiting.size > 0) break
      }
      await sending
    } catch (err) {
      this.#log.debug({ peer, err }, 'bitswap: a peer could not be answered')
      this.disconnected(peer)
    }
  }

  async #answer(peer: string): Promise<Answer | undefined> {
    const blocks: SentBlock[] = []
    const presences: Presence[] = []
    let bytes = 0
    for (const [key, want] of this.#wants.get(peer) ?? []) {
      this.#wants.get(peer)?.delete(key)
      const cid = Buffer.from(key, 'latin1')
      const found = await this.#look(cid, want)
      if (typeof found === 'object') {
        blocks.push(found)
        bytes += found.data.length
      } else if (found || want.sendDontHave) presences.push({ cid, has: found })
      if (bytes >= FULL_MESSAGE || blocks.length + presences.length >= MAX_ANSWERS) break
    }
    return blocks.length + presences.length > 0 ? { blocks, presences } : undefined
  }

  /** The block, or whether it is here. One that can't be read is one that we do not give: bitswap has no word for errors. */
  async #look(bytes: Uint8Array, { have }: Kept): Promise<SentBlock | boolean> {
    const cid = decodeCid(bytes)
    if (cid === undefined) return false
    try {
      if (have) return await this.#blocks.has(cid)
      const block = await this.#blocks.get(cid)
      return block !== undefined && block.length <= MAX_BLOCK_SIZE ? { prefix: blockPrefix(cid), data: block } : false
    } catch (err) {
      // What strangers ask for in great number is not said as often.
      const level = err instanceof RegistryError && err.code === 'UNAVAILABLE' ? 'debug' : 'warn'
      this.#log[level]({ cid: cid.toString(), err }, 'bitswap: a wanted block could not be read')
      return false
    }
  }
}

/** A stranger's bytes may be anything. */
function decodeCid(bytes: Uint8Array): CID | undefined {
  try {
    return CID.decode(bytes)
  } catch {
    return undefined
  }
}
