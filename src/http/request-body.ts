import { constants, type Http2ServerRequest } from 'node:http2'
import { RegistryError } from '../oci/errors.ts'
import { giveBack } from '../storage/give-back.ts'
import { bodyChunks, type Received } from './body-chunks.ts'
import type { ByteBudget } from './byte-budget.ts'
import { isHttp2, isWhole, type HttpRequest, type HttpResponse } from './message.ts'

/** What is read and dropped of a body that nobody wanted, in bytes, and for how long, in milliseconds. */
const DRAIN_BYTES = 64 * 1024 * 1024
const DRAIN_TIME = 10_000
/** What a body that is read as a whole may take without asking, in bytes: more than nearly all manifests. */
const FREE_BYTES = 64 * 1024

export interface RequestBodyOptions {
  /** The client sends nothing before it has been told to continue. */
  readonly awaited: boolean
  /** How long the next byte may take, in milliseconds. */
  readonly timeout: number
  /** For what is read as a whole, and whom it is counted for. */
  readonly budget: ByteBudget
  readonly client: string
  /** Where the bytes that come are counted. */
  readonly traffic?: Received
}

/** The body of a request, a chunk being the reader's until it asks for the next; a client that waits for `100 Continue` gets it when the first byte is asked for. */
export class RequestBody implements AsyncIterable<Uint8Array> {
  /** Bytes that the client announced; undefined where it sends chunks until it is through. */
  readonly length: number | undefined
  readonly #request: HttpRequest
  readonly #response: HttpResponse
  readonly #timeout: number
  readonly #budget: ByteBudget
  readonly #client: string
  readonly #traffic: Received | undefined
  #reserved = 0
  #awaited: boolean
  #discarded = false

  constructor(request: HttpRequest, response: HttpResponse, { awaited, timeout, budget, client, traffic }: RequestBodyOptions) {
    this.length = lengthOf(request)
    this.#request = request
    this.#response = response
    this.#timeout = timeout
    this.#budget = budget
    this.#client = client
    this.#traffic = traffic
    this.#awaited = awaited
  }

  /** @throws RegistryError 408 when nothing comes for too long; Error when the connection ends before the body does */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, void, void> {
    if (this.#awaited) this.#response.writeContinue()
    this.#awaited = false
    return bodyChunks(this.#request, this.#timeout, this.#traffic)
  }

  /** Takes memory for as long as the request lasts. @throws RegistryError TOOMANYREQUESTS when there is none */
  reserve(bytes: number): void {
    if (!this.#budget.take(this.#client, bytes)) {
      throw new RegistryError('TOOMANYREQUESTS', 'too many large manifests are being pushed', { headers: { 'Retry-After': '5' } })
    }
    this.#reserved += bytes
  }

  /** Once nobody looks at the bytes any more. */
  release(): void {
    this.#budget.giveBack(this.#client, this.#reserved)
    this.#reserved = 0
  }

  /**
   * Nobody will read what still comes of the body, hence it is dropped, up to a bound. To close the connection once the
   * answer is ready would reset it, and the client might lose the answer.
   */
  discard(): void {
    if (this.length === 0 || isWhole(this.#request) || this.#discarded) return
    this.#discarded = true
    if (isHttp2(this.#request)) return discardStream(this.#request)
    if (this.#awaited) {
      // The client has sent nothing yet, and whether it will is open: RFC 9110 §10.1.1 lets the server close.
      this.#response.setHeader('Connection', 'close')
      return
    }
    const { socket } = this.#request
    if (socket.destroyed) return
    let left = DRAIN_BYTES
    const timer = setTimeout(() => socket.destroy(), DRAIN_TIME)
    const done = (): void => {
      clearTimeout(timer)
      socket.off('close', done)
    }
    this.#request.once('end', done)
    // Once the answer has left, Node tells a request nothing more of its connection.
    socket.once('close', done)
    this.#request.on('error', () => {})
    this.#request.on('data', (chunk: Uint8Array) => {
      left -= chunk.length
      if (left < 0) socket.destroy()
    })
    // A reader that stopped in the middle of waiting for a chunk pauses only when that chunk comes.
    this.#request.on('pause', () => this.#request.resume())
    this.#request.resume()
  }
}

/** Undefined where only the end of the body tells. */
function lengthOf(request: HttpRequest): number | undefined {
  const length = request.headers['content-length']
  if (isHttp2(request)) return request.stream.endAfterHeaders ? 0 : length === undefined ? undefined : Number(length)
  return request.headers['transfer-encoding'] === undefined ? Number(length ?? 0) : undefined
}

/**
 * RFC 9113 §8.1: "a server MAY request that the client abort transmission of a request without error by sending a
 * RST_STREAM with an error code of NO_ERROR after sending a complete response".
 */
function discardStream(request: Http2ServerRequest): void {
  const { stream } = request
  stream.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR))
  request.on('error', () => {})
  request.resume()
}

/**
 * The whole of a small body, in one piece that grows with what comes: not with what was announced, nor with the number
 * of packets.
 *
 * @throws what `tooLarge` makes, as soon as it is known to be longer than `limit` bytes; RegistryError TOOMANYREQUESTS
 *   when all bodies together take too much memory
 */
export async function readAll(body: RequestBody, limit: number, tooLarge: () => Error): Promise<Uint8Array> {
  if (body.length !== undefined && body.length > limit) throw tooLarge()
  const most = body.length ?? limit
  let bytes = new Uint8Array(Math.min(most, FREE_BYTES))
  let size = 0
  try {
    for await (const chunk of body) {
      const end = size + chunk.length
      if (end > limit) throw tooLarge()
      if (end > bytes.length) {
        const grown = Math.min(most, Math.max(end, bytes.length * 2))
        body.reserve(grown - bytes.length)
        bytes = new Uint8Array(bytes.buffer.transfer(grown))
      }
      bytes.set(chunk, size)
      size = end
    }
  } catch (error) {
    giveBack(bytes)
    throw error
  }
  return size === bytes.length ? bytes : bytes.slice(0, size)
}
