import type { Stream } from '@libp2p/interface'
import { giveBack } from '../../../storage/give-back.ts'
import { decodeMessage, MAX_MESSAGE_SIZE, type BitswapMessage } from './message.ts'

/** Bytes of messages that are not complete yet at most, of all peers together. */
const MAX_UNFINISHED = 32 * 1024 * 1024

/** Reads messages off the streams that peers have opened, each with its length before it. */
export class BitswapInbox {
  /** Bytes of each stream's message that is not complete; the one that has stood still the longest comes first. */
  readonly #unfinished = new Map<Stream, number>()
  #bytes = 0

  /** What is no message, or is too large, ends the stream. A message is good only until `onMessage` returns: then its memory goes back. */
  read(stream: Stream, onMessage: (message: BitswapMessage) => void): void {
    const framer = new Framer((message) => {
      onMessage(decodeMessage(message))
      giveBack(message)
    })
    stream.addEventListener('message', ({ data }) => {
      try {
        if (data instanceof Uint8Array) framer.push(data)
        else for (const piece of data) framer.push(piece)
        this.#note(stream, framer.unfinished)
        this.#makeRoom()
      } catch (error) {
        stream.abort(error instanceof Error ? error : new Error('not a bitswap message', { cause: error }))
      }
    })
    stream.addEventListener('close', () => this.#note(stream, 0))
    // A peer's answers come over a stream that we open.
    stream.close().catch((error: Error) => stream.abort(error))
  }

  #note(stream: Stream, bytes: number): void {
    this.#bytes += bytes - (this.#unfinished.get(stream) ?? 0)
    this.#unfinished.delete(stream)
    if (bytes > 0) this.#unfinished.set(stream, bytes)
  }

  /** At the cost of who stands still in the middle of a message: the others are sending. */
  #makeRoom(): void {
    for (const stream of this.#unfinished.keys()) {
      if (this.#bytes <= MAX_UNFINISHED) return
      this.#note(stream, 0)
      stream.abort(new Error('too many messages are not complete'))
    }
  }
}

/** Longest varint of a length that is allowed, in bytes. */
const MAX_PREFIX = 4

/** Cuts a stream of bytes into messages, each copied once, to where it stays. */
class Framer {
  readonly #onMessage: (message: Uint8Array) => void
  #length = 0
  #prefix = 0
  #message: Uint8Array | undefined
  #filled = 0

  constructor(onMessage: (message: Uint8Array) => void) {
    this.#onMessage = onMessage
  }

  /** Bytes of the message that is not complete yet. */
  get unfinished(): number {
    return this.#message === undefined ? 0 : this.#filled
  }

  /** @throws RangeError when a message is larger than allowed */
  push(piece: Uint8Array): void {
    let at = 0
    while (at < piece.length) {
      if (this.#message === undefined) at = this.#readLength(piece, at)
      else at = this.#fill(this.#message, piece, at)
    }
  }

  #readLength(piece: Uint8Array, at: number): number {
    const byte = piece[at] ?? 0
    this.#length += (byte & 0x7f) * 2 ** (7 * this.#prefix)
    this.#prefix++
    if (byte >= 0x80 && this.#prefix < MAX_PREFIX) return at + 1
    if (byte >= 0x80 || this.#length > MAX_MESSAGE_SIZE) throw new RangeError('a bitswap message that is too large')
    if (this.#length > 0) this.#message = Buffer.allocUnsafeSlow(this.#length)
    this.#prefix = 0
    this.#filled = 0
    this.#length = 0
    return at + 1
  }

  #fill(message: Uint8Array, piece: Uint8Array, at: number): number {
    const taken = Math.min(message.length - this.#filled, piece.length - at)
    message.set(piece.subarray(at, at + taken), this.#filled)
    this.#filled += taken
    if (this.#filled === message.length) {
      this.#message = undefined
      this.#onMessage(message)
    }
    return at + taken
  }
}
