import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { RegistryError } from '../oci/errors.ts'
import type { Logger } from '../telemetry/logger.ts'
import { ByteBudget } from './byte-budget.ts'
import { ClientGoneError } from './client-gone.ts'
import { errorAnswer, toRegistryError } from './error-answer.ts'
import { GatewayError } from './gateway-request.ts'
import { isGone, isHttp2, isThrough, type HttpRequest, type HttpResponse } from './message.ts'
import { Reception, type ReceptionParts } from './reception.ts'
import { RequestBody } from './request-body.ts'
import { writeAnswer } from './write-answer.ts'

export interface RequestListenerParts extends ReceptionParts {
  readonly log: Logger
  /** How long the next byte of a body may take, in milliseconds; one that goes on, however slowly, is never cut. @default 1 minute */
  readonly bodyTimeout?: number | undefined
  /** How long a client may take for a piece of a streamed answer, 64 KiB to a few MiB, in milliseconds. @default 5 minutes */
  readonly pieceTimeout?: number | undefined
}

/** Memory for the bodies that are read as a whole, in bytes: sixteen of the largest manifests. */
const BODY_BYTES = 64 * 1024 * 1024
const BODY_TIMEOUT = 60_000
const PIECE_TIMEOUT = 300_000
/** Requests of one connection that may wait for those before them; hardly any client sends more than one. */
const MAX_PIPELINED = 64

/** The requests of one connection. */
interface Line {
  waiting: number
  /** Ends with the last of them. */
  last: Promise<void>
}

/** What wraps every request: its id, its log line, the signal of its client, the mapping of errors, the one answer. */
export class RequestListener {
  readonly #parts: RequestListenerParts
  readonly #reception: Reception
  readonly #prefix = randomBytes(4).toString('hex')
  readonly #bodies = new ByteBudget(BODY_BYTES)
  readonly #lines = new WeakMap<Socket, Line>()
  #count = 0

  constructor(parts: RequestListenerParts) {
    this.#parts = parts
    this.#reception = new Reception(parts)
  }

  /**
   * Never rejects. Requests that come before the answers to those before them wait for their turn: begun at once, a
   * thousand in 60 KB would have their answers in memory together.
   *
   * @param awaited the client waits for `100 Continue`
   */
  handle(request: HttpRequest, response: HttpResponse, awaited: boolean): Promise<void> {
    if (isHttp2(request)) return this.#handle(request, response, awaited)
    const { socket } = request
    // Node lends the socket to one response after the other.
    const line = response.socket === null ? this.#lines.get(socket) : undefined
    if (line === undefined) {
      const handled = this.#handle(request, response, awaited)
      this.#lines.set(socket, { waiting: 0, last: handled })
      return handled
    }
    if (++line.waiting > MAX_PIPELINED) socket.destroy()
    line.last = line.last.then(() => {
      line.waiting--
      return socket.destroyed ? undefined : this.#handle(request, response, awaited)
    })
    return line.last
  }

  async #handle(request: HttpRequest, response: HttpResponse, awaited: boolean): Promise<void> {
    const id = `${this.#prefix}-${(this.#count++).toString(36)}`
    const began = performance.now()
    let failure: unknown
    try {
      failure = await this.#respond(request, response, awaited, id)
    } catch (error) {
      failure = error
      response.destroy()
    }
    this.#record(request, response, { id, ms: Math.round((performance.now() - began) * 10) / 10 }, failure)
  }

  /** Resolves with the error that became the answer, if one did. */
  async #respond(request: HttpRequest, response: HttpResponse, awaited: boolean, id: string): Promise<unknown> {
    const { bodyTimeout = BODY_TIMEOUT, pieceTimeout = PIECE_TIMEOUT } = this.#parts
    const body = new RequestBody(request, response, { awaited, timeout: bodyTimeout, budget: this.#bodies })
    const common = { 'Docker-Distribution-API-Version': 'registry/2.0', 'X-Content-Type-Options': 'nosniff', 'X-Request-Id': id }
    try {
      request.url = originForm(request.url ?? '')
      checkCoding(request)
      const answer = await this.#reception.answer({ id, request, body, signal: signalOf(response) })
      body.discard()
      await writeAnswer(response, answer, common, pieceTimeout)
      return undefined
    } catch (error) {
      if (response.headersSent || isGone(response)) throw error
      body.discard()
      await writeAnswer(response, errorAnswer(toRegistryError(error)), common, pieceTimeout)
      return error
    } finally {
      body.release()
    }
  }

  #record(request: HttpRequest, response: HttpResponse, fields: { id: string; ms: number }, failure: unknown): void {
    const { method, url } = request
    const line = { ...fields, method, url, status: response.statusCode }
    const { log } = this.#parts
    if (failure instanceof ClientGoneError || (failure !== undefined && isGone(response) && !response.headersSent)) {
      log.info({ ...line, status: 499 }, 'client went away')
    } else if (failure !== undefined && !isClientError(failure)) log.error({ ...line, err: failure }, 'failed')
    else if (method === 'GET' || method === 'HEAD') log.debug(line, 'request')
    else log.info(line, 'request')
  }
}

function isClientError(failure: unknown): boolean {
  return (failure instanceof RegistryError || failure instanceof GatewayError) && (failure.status < 500 || failure.status === 501)
}

/** RFC 9112 §3.2.2: "a server MUST accept the absolute-form in requests even though most HTTP/1.1 clients will only send the absolute-form to a proxy." */
function originForm(target: string): string {
  const match = /^https?:\/\/[^/?#]*/i.exec(target)
  if (match === null) return target
  const rest = target.slice(match[0].length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

/**
 * RFC 9112 §6.1: "A server that receives a request message with a transfer coding it does not understand SHOULD respond
 * with 501 (Not Implemented)." Node takes off the chunks, and would have what is in them stored compressed.
 */
function checkCoding({ headers }: HttpRequest): void {
  const coding = headers['transfer-encoding']
  if (coding === undefined || /^[\s,]*chunked[\s,]*$/i.test(coding)) return
  throw new RegistryError('UNSUPPORTED', `transfer coding ${coding} is not supported`, { status: 501, headers: { Connection: 'close' } })
}

function signalOf(response: HttpResponse): AbortSignal {
  const controller = new AbortController()
  response.once('close', () => {
    if (!isThrough(response)) controller.abort(new ClientGoneError())
  })
  return controller.signal
}
