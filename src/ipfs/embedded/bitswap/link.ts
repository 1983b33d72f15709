import type { Stream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'

/** Milliseconds after which an unused stream is closed: before the 10 s after which Helia resets it. */
const IDLE_TIMEOUT = 5_000
/** Milliseconds in which a peer has to take something of what is sent to it. */
const STALL_TIMEOUT = 20_000
/** … and all of a message: whoever sips at one keeps others waiting. */
const MESSAGE_TIMEOUT = 120_000

/** The way to one peer: messages go out one after the other over a stream that is opened when it is needed. */
export class BitswapLink {
  readonly #open: () => Promise<Stream>
  #stream: Stream | undefined
  #last: Promise<void> = Promise.resolve()
  #idle: NodeJS.Timeout | undefined

  constructor(open: () => Promise<Stream>) {
    this.#open = open
  }

  /** Resolves when the message is on its way, and there is room for the next one. */
  send(message: readonly Uint8Array[]): Promise<void> {
    const sent = this.#last.then(() => this.#write(message))
    this.#last = sent.catch(() => {})
    return sent
  }

  close(reason: Error): void {
    clearTimeout(this.#idle)
    this.#stream?.abort(reason)
    this.#stream = undefined
  }

  async #write(message: readonly Uint8Array[]): Promise<void> {
    clearTimeout(this.#idle)
    const reused = this.#stream !== undefined && this.#stream.writeStatus === 'writable'
    const stream = reused && this.#stream !== undefined ? this.#stream : await this.#open()
    this.#stream = stream
    try {
      stream.send(new Uint8ArrayList(...message))
      await flushed(stream)
    } catch (error) {
      this.#stream = undefined
      stream.abort(error instanceof Error ? error : new Error('bitswap stream failed', { cause: error }))
      // The peer may have closed a stream that lay idle just before.
      if (reused) return this.#write(message)
      throw error
    }
    this.#idle = setTimeout(() => this.#rest(stream), IDLE_TIMEOUT).unref()
  }

  #rest(stream: Stream): void {
    if (this.#stream === stream) this.#stream = undefined
    stream.close().catch((error: Error) => stream.abort(error))
  }
}

/**
 * Resolves when the stream has handed on all that it was given and may be given more. (`Stream.onDrain` resolves at
 * once after it has resolved once, and memory would grow with what a slow peer asks for.)
 */
function flushed(stream: Stream): Promise<void> {
  const ready = (): boolean => stream.writeBufferLength === 0 && !stream.writableNeedsDrain
  if (ready()) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const began = performance.now()
    let left = stream.writeBufferLength
    const stalled = setInterval(() => {
      if (stream.writeBufferLength === left) finish(new Error(`the peer took nothing for ${STALL_TIMEOUT / 1000} s`))
      else if (performance.now() - began >= MESSAGE_TIMEOUT) finish(new Error(`the peer took too little in ${MESSAGE_TIMEOUT / 1000} s`))
      left = stream.writeBufferLength
    }, STALL_TIMEOUT)
    const check = (): void => {
      // At `drain` the stream has not yet gone on to send.
      queueMicrotask(() => {
        if (stream.writeStatus === 'closed') finish(new Error('the stream was closed'))
        else if (ready()) finish()
      })
    }
    const finish = (error?: Error): void => {
      clearInterval(stalled)
      for (const event of ['drain', 'idle', 'close'] as const) stream.removeEventListener(event, check)
      if (error === undefined) resolve()
      else reject(error)
    }
    for (const event of ['drain', 'idle', 'close'] as const) stream.addEventListener(event, check)
  })
}
