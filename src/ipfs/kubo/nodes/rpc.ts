import { request as requestHttp, type Agent as HttpAgent, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { OneBufferAgent } from '../../gateway/one-buffer-agent.ts'
import { withoutUser } from '../../../oci/url-user.ts'
import { untilAborted } from '../../../oci/until-aborted.ts'
import type { AbortOptions } from '../../../storage/object-store.ts'
import { commandUrl, type KuboOptions } from './command-url.ts'
import { KuboDownError, KuboIncompleteError, KuboRefusedError } from './errors.ts'
import { sendForm } from './form.ts'
import { PlainCall, type Take } from './plain-call.ts'
import { beginningOf, refusalOf } from './refusal.ts'
import { Silence } from './silence.ts'

export interface CallOptions extends AbortOptions {
  /** Sent as the one file of a form. A chunk is the reader's until it asks for the next one. */
  readonly body?: AsyncIterable<Uint8Array> | Iterable<Uint8Array> | undefined
  /** Milliseconds of silence after which it is given up, though the node answers other calls. @default 10 min, for who waits behind a collection of garbage */
  readonly limit?: number | undefined
  /** Asked as well when the node is silent. @throws KuboIncompleteError where nothing will come */
  readonly doubt?: (() => Promise<void>) | undefined
}

export interface RpcPatience {
  /** Milliseconds of silence after which a node is asked whether it is there at all. */
  readonly silence: number
  /** … that it has for an answer. */
  readonly answer: number
}

export interface RpcOptions {
  /** Sent as `Authorization: Bearer`. Never to be logged. */
  readonly token?: string | undefined
  /** Made by `version` before any other command, and again when the node had not answered. @throws KuboDownError: then nothing is asked of it */
  readonly check?: ((rpc: KuboRpc) => Promise<void>) | undefined
  /** @default 10 s and 5 s */
  readonly patience?: RpcPatience | undefined
}

interface Asked {
  readonly request: ClientRequest
  readonly response: Promise<IncomingMessage>
}

interface Asking extends CallOptions {
  readonly began: (request: ClientRequest) => void
  /** The body gave no more. */
  readonly broken: (reason: unknown) => void
  readonly silence: Silence | undefined
}

/** Bytes of an answer that is read as a whole. */
const MAX_ANSWER = 64 * 1024 * 1024
/** Connections that are kept while nothing is asked. */
const KEPT_SOCKETS = 64
const PATIENCE: RpcPatience = { silence: 10_000, answer: 5000 }
const LIMIT = 600_000
/** Milliseconds that a node which was silent last has for the next check, before calls fail that wait for it. */
const SECOND_CHANCE = 500

/**
 * Kubo's RPC (`POST /api/v0/<command>`), one node's. Its own because `kubo-rpc-client` costs 1.75 CPU s/GB where this
 * costs 0.95, see docs/dependencies.md.
 */
export class KuboRpc {
  /** Where it is, without the user. */
  readonly name: string
  /** Whether `pour` gives anything. */
  readonly pours: boolean
  readonly #base: URL
  /** Of the user whom the URL names. Never to be logged. */
  readonly #authorization: string | undefined
  readonly #agent: HttpAgent
  readonly #check: RpcOptions['check']
  readonly #patience: RpcPatience
  #checked: Promise<void> | undefined
  #checkBegan = 0
  /** Why nothing is expected of it, where it was silent last. */
  #failure: unknown

  /** @param url `http://host:5001`, with a path before `/api/v0` or without, with `user:password@` before the host or without */
  constructor(url: URL | string, { token, check, patience = PATIENCE }: RpcOptions = {}) {
    const { url: base, authorization } = withoutUser(url)
    if (!base.pathname.endsWith('/')) base.pathname += '/'
    this.#base = base
    this.#authorization = token === undefined ? authorization : `Bearer ${token}`
    this.pours = base.protocol === 'http:'
    this.#check = check
    this.#patience = patience
    this.name = `${base.protocol}//${base.host}${base.pathname === '/' ? '' : base.pathname}`
    // As many as are asked for: a search that waits must not keep others waiting.
    const options = { keepAlive: true, maxFreeSockets: KEPT_SOCKETS }
    this.#agent = base.protocol === 'https:' ? new HttpsAgent(options) : new OneBufferAgent(options)
  }

  /** What the command answered, which is one JSON value, or nothing. @throws KuboDownError, KuboRefusedError */
  async json<T>(command: string, options: KuboOptions = {}, call: CallOptions = {}): Promise<T> {
    const [value] = await this.lines<T>(command, options, call)
    return value as T
  }

  /** Every JSON value of the answer. @throws KuboDownError, KuboRefusedError */
  async lines<T>(command: string, options: KuboOptions = {}, call: CallOptions = {}): Promise<T[]> {
    const text = Buffer.from(await this.bytes(command, options, call)).toString('utf8')
    try {
      return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as T)
    } catch {
      throw new KuboRefusedError(this.name, command, `no JSON: ${text.trim().slice(0, 200)}`, 200)
    }
  }

  /** The answer as a whole, up to 64 MiB. @throws KuboDownError, KuboRefusedError */
  async bytes(command: string, options: KuboOptions = {}, call: CallOptions = {}): Promise<Uint8Array> {
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of this.stream(command, options, call)) {
      size += chunk.byteLength
      if (size > MAX_ANSWER) throw new KuboRefusedError(this.name, command, `an answer of more than ${MAX_ANSWER} bytes`)
      chunks.push(chunk)
    }
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size)
  }

  /** The bytes of the answer as they come. @throws KuboDownError, KuboRefusedError, also in the middle */
  async *stream(command: string, options: KuboOptions = {}, call: CallOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    call.signal?.throwIfAborted()
    if (command !== 'version') await this.#ready(call.signal)
    yield* this.#stream(command, options, call)
  }

  /**
   * Gives the bytes of an answer to who takes them, for less than `stream` does it: see `PlainCall`. They may not be all;
   * over TLS, which it does not speak, there are none.
   *
   * @returns how many. @throws KuboDownError, KuboRefusedError, what `take` threw
   */
  async pour(command: string, options: KuboOptions, take: Take, call: Omit<CallOptions, 'body'> = {}): Promise<number> {
    const { signal } = call
    if (!this.pours) return 0
    signal?.throwIfAborted()
    await this.#ready(signal)
    let hung: Error | undefined
    const silence = this.#watch(call, (reason) => plain.destroy((hung = reason)))
    const plain = new PlainCall(commandUrl(this.#base, command, options), this.#headers, (bytes) => {
      silence.rest()
      const taken = take(bytes)
      if (taken === undefined) silence.heard()
      return taken?.then(() => silence.heard())
    })
    const abort = (): void => plain.destroy(signal?.reason)
    signal?.addEventListener('abort', abort)
    try {
      const { status, size, text } = await plain.answer
      if (status !== 200) throw refusalOf(this.name, command, { status, text })
      return size
    } catch (error) {
      signal?.throwIfAborted()
      throw this.#failed(command, error, hung)
    } finally {
      signal?.removeEventListener('abort', abort)
      silence.end()
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  async #ready(signal: AbortSignal | undefined): Promise<void> {
    if (this.#check === undefined) return
    this.#checked ??= this.#checkNow(this.#check)
    await untilAborted(this.#failure === undefined ? this.#checked : this.#soon(this.#checked), signal)
  }

  async #checkNow(check: (rpc: KuboRpc) => Promise<void>): Promise<void> {
    const began = (this.#checkBegan = performance.now())
    try {
      await check(this)
      this.#failure = undefined
    } catch (error) {
      this.#checked = undefined
      // Who refuses at once costs nobody anything.
      if (performance.now() - began >= SECOND_CHANCE) this.#failure = error
      throw error
    }
  }

  async #soon(checked: Promise<void>): Promise<void> {
    const over = new AbortController()
    try {
      await Promise.race([checked, sleep(Math.max(0, this.#checkBegan + SECOND_CHANCE - performance.now()), undefined, { signal: over.signal }).then(() => {
        throw this.#failure
      })])
    } finally {
      over.abort()
    }
  }

  async *#stream(command: string, options: KuboOptions, call: CallOptions): AsyncGenerator<Uint8Array, void, undefined> {
    let response: IncomingMessage | undefined
    let asked: ClientRequest | undefined
    let hung: Error | undefined
    let broken: { readonly reason: unknown } | undefined
    const silence = command === 'version' ? undefined : this.#watch(call, (reason) => {
      hung = reason
      asked?.destroy(reason)
    })
    try {
      response = await this.#answer(command, options, { ...call, began: (request) => (asked = request), broken: (reason) => (broken = { reason }), silence })
      silence?.heard()
      for await (const chunk of response) {
        silence?.rest()
        yield chunk as Uint8Array
        silence?.heard()
      }
      // "X-Stream-Error": Kubo has sent its 200 by the time something goes wrong.
      const late = response.trailers['x-stream-error']
      if (late !== undefined) throw new KuboRefusedError(this.name, command, late)
    } catch (error) {
      call.signal?.throwIfAborted()
      if (broken !== undefined) throw broken.reason
      throw this.#failed(command, error, hung)
    } finally {
      silence?.end()
      if (response?.complete === false) response.destroy()
    }
  }

  #failed(command: string, error: unknown, hung: Error | undefined): unknown {
    if (hung instanceof KuboIncompleteError) return hung
    const cause = hung ?? (isTransport(error) ? error : undefined)
    if (cause === undefined) return error
    const failure = new KuboDownError(`the IPFS node ${this.name} does not answer (${command}): ${cause.message}`, { cause })
    this.#checked = undefined
    if (cause === hung) this.#failure = failure
    return failure
  }

  #watch({ limit = LIMIT, doubt }: CallOptions, cut: (reason: Error) => void): Silence {
    const { silence, answer } = this.#patience
    const isThere = (): Promise<unknown> => this.json('version', {}, { signal: AbortSignal.timeout(answer) }).catch((error: unknown) => {
      if (!(error instanceof KuboRefusedError)) throw error
    })
    return new Silence({ patience: Math.min(silence, limit), limit, isThere, doubt, cut })
  }

  async #answer(command: string, options: KuboOptions, call: Asking, again = true): Promise<IncomingMessage> {
    const { body, signal, silence, began, broken } = call
    const boundary = body === undefined ? undefined : randomUUID()
    const { request, response } = this.#request(command, options, { boundary, signal })
    began(request)
    if (body === undefined) request.end()
    // Kubo may refuse before it has read all: then its answer counts, and not that it hung up.
    const sent = body === undefined || boundary === undefined ? undefined : sendForm(request, body, boundary, silence)
    sent?.catch((error: unknown) => {
      broken(error)
      request.destroy(new Error('the body gave no more', { cause: error }))
    })
    try {
      const answer = await response
      if (answer.statusCode === 200) return answer
      throw refusalOf(this.name, command, { status: answer.statusCode ?? 0, text: await beginningOf(answer) })
    } catch (error) {
      request.destroy()
      // The other side may close a kept connection in the moment in which it is used again.
      const reset = isTransport(error) && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
      if (again && body === undefined && request.reusedSocket && reset) return this.#answer(command, options, call, false)
      throw error
    }
  }

  get #headers(): Readonly<Record<string, string>> {
    return this.#authorization === undefined ? {} : { authorization: this.#authorization }
  }

  #request(command: string, options: KuboOptions, { boundary, signal }: { boundary: string | undefined; signal: AbortSignal | undefined }): Asked {
    const url = commandUrl(this.#base, command, options)
    const requestOptions: RequestOptions = {
      agent: this.#agent,
      method: 'POST',
      headers: {
        ...this.#headers,
        ...(boundary === undefined ? { 'content-length': 0 } : { 'content-type': `multipart/form-data; boundary=${boundary}` }),
      },
      ...(signal === undefined ? {} : { signal }),
    }
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, requestOptions)
    const response = new Promise<IncomingMessage>((resolve, reject) => {
      request.on('response', resolve)
      request.on('error', reject)
    })
    return { request, response }
  }
}

function isTransport(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && ('code' in error || error.message === 'aborted')
}
