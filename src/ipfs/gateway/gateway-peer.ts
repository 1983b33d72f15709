import { request as requestHttp, type Agent as HttpAgent, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { urlToHttpOptions } from 'node:url'
import type { CID } from 'multiformats/cid'
import { withoutUser } from '../../oci/url-user.ts'
import { VerificationError } from '../errors.ts'
import { giveBack } from '../../storage/give-back.ts'
import { MAX_BLOCK_SIZE, verifyBlock } from '../unixfs/block.ts'
import type { AskOptions, BlockPeer } from './block-peer.ts'
import { OneBufferAgent } from './one-buffer-agent.ts'

export interface GatewayPeerOptions {
  /** Milliseconds without a byte after which a request has failed. @default 10000 */
  readonly idleTimeout?: number | undefined
  /** Connections at once. @default 24 */
  readonly connections?: number | undefined
  /** The header of this name for a request that goes out now, where it is part of a trace. */
  readonly traceparent?: (() => string | undefined) | undefined
}

const IDLE_TIMEOUT = 10_000
const CONNECTIONS = 24

/** One trustless gateway (specs.ipfs.tech/http-gateways/trustless-gateway): a Disco, a Kubo, any other. */
export class GatewayPeer implements BlockPeer {
  readonly name: string
  readonly #base: URL
  /** The same for `node:http`: to take a URL apart costs as much as the rest of a request. */
  readonly #place: Pick<RequestOptions, 'protocol' | 'hostname' | 'port'>
  /** Of the user whom the URL names. Never to be logged. */
  readonly #authorization: string | undefined
  readonly #agent: HttpAgent
  readonly #idleTimeout: number
  readonly #traceparent: () => string | undefined

  /** @param url where `/ipfs/<cid>` is found: `http://host:1970`, with a path before it or without, with `user:password@` before the host or without */
  constructor(url: URL | string, options: GatewayPeerOptions = {}) {
    const { url: base, authorization } = withoutUser(url)
    this.#base = base
    this.#authorization = authorization
    if (!this.#base.pathname.endsWith('/')) this.#base.pathname += '/'
    const { protocol, hostname, port } = urlToHttpOptions(this.#base)
    this.#place = { protocol, hostname, port }
    this.name = `${this.#base.protocol}//${this.#base.host}${this.#base.pathname}`
    const agentOptions = { keepAlive: true, maxSockets: options.connections ?? CONNECTIONS }
    this.#agent = this.#base.protocol === 'https:' ? new HttpsAgent(agentOptions) : new OneBufferAgent(agentOptions)
    this.#idleTimeout = options.idleTimeout ?? IDLE_TIMEOUT
    this.#traceparent = options.traceparent ?? (() => undefined)
  }

  async ask(cid: CID, options: AskOptions = {}): Promise<Uint8Array | undefined> {
    options.signal?.throwIfAborted()
    const bytes = await this.#get(cid, options, true)
    if (bytes !== undefined) verifyBlock(cid, bytes)
    return bytes
  }

  async close(): Promise<void> {
    this.#agent.destroy()
  }

  async #get(cid: CID, { signal, onBytes }: AskOptions, again: boolean): Promise<Uint8Array | undefined> {
    const request = this.#request(cid, signal)
    try {
      return await answerOf(request, cid, onBytes)
    } catch (cause) {
      request.destroy()
      signal?.throwIfAborted()
      if (cause instanceof VerificationError) throw cause
      // The other side may close a kept connection in the moment in which it is used again.
      if (again && request.reusedSocket && isReset(cause)) return this.#get(cid, { signal, onBytes }, false)
      throw new Error(`${this.name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    }
  }

  #request(cid: CID, signal: AbortSignal | undefined): ClientRequest {
    const request = this.#base.protocol === 'https:' ? requestHttps : requestHttp
    const own = { authorization: this.#authorization, traceparent: this.#traceparent() }
    return request({
      ...this.#place,
      path: `${this.#base.pathname}ipfs/${cid}?format=raw`,
      agent: this.#agent,
      headers: { accept: 'application/vnd.ipld.raw', ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)) },
      timeout: this.#idleTimeout,
      ...(signal === undefined ? {} : { signal }),
    })
  }
}

function isReset(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
}

function answerOf(request: ClientRequest, cid: CID, onBytes?: (bytes: number) => void): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    request.on('error', reject)
    request.on('timeout', () => request.destroy(new Error('no answer in time')))
    request.on('response', (response) => {
      response.on('error', reject)
      if (response.statusCode === 200) {
        if (onBytes !== undefined) response.on('data', (chunk: Buffer) => onBytes(chunk.length))
        blockOf(response, cid).then(resolve, reject)
        return
      }
      response.resume()
      if (response.statusCode === 404 || response.statusCode === 410) resolve(undefined)
      else reject(new Error(`answered with status ${response.statusCode ?? 0}`))
    })
    request.end()
  })
}

/** Straight into one buffer: the size is known, or at most that of a block. */
function blockOf(response: IncomingMessage, cid: CID): Promise<Uint8Array> {
  const length = response.headers['content-length']
  const tooLarge = (): VerificationError => new VerificationError(`block ${cid} is larger than ${MAX_BLOCK_SIZE} bytes`)
  return new Promise((resolve, reject) => {
    if (length !== undefined && Number(length) > MAX_BLOCK_SIZE) {
      reject(tooLarge())
      return
    }
    let block: Buffer = Buffer.allocUnsafeSlow(Number(length ?? 64 * 1024))
    let size = 0
    response.on('data', (chunk: Buffer) => {
      if (size + chunk.length > MAX_BLOCK_SIZE) {
        reject(tooLarge())
        response.destroy()
        return
      }
      if (size + chunk.length > block.length) block = grown(block, size, size + chunk.length)
      chunk.copy(block, size)
      size += chunk.length
      giveBack(chunk)
    })
    response.on('end', () => resolve(block.subarray(0, size)))
    response.on('close', () => reject(new Error('the answer was cut short')))
  })
}

function grown(block: Buffer, size: number, needed: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.min(MAX_BLOCK_SIZE, Math.max(needed, block.length * 2)))
  block.copy(larger, 0, 0, size)
  return larger
}
