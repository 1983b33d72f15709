import { randomBytes } from 'node:crypto'
import type { OutgoingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { RegistryError } from '../oci/errors.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { RequestObserver, SeenRequest } from '../telemetry/request-observer.ts'
import { requestScope } from '../telemetry/request-scope.ts'
import { AccessLog } from './access-log.ts'
import type { Answer } from './answer.ts'
import { ByteBudget } from './byte-budget.ts'
import { ClientGoneError } from './client-gone.ts'
import { clientOf, type Client, type ClientOptions } from './client.ts'
import { countedAs, type Leave } from './client-limits.ts'
import { errorAnswer, toRegistryError } from './error-answer.ts'
import { cutOff, isGone, isHttp2, isThrough, type HttpRequest, type HttpResponse } from './message.ts'
import { PASSED_ON, readPassedOn } from './passed-on.ts'
import { Reception, type ReceptionParts } from './reception.ts'
import { RequestBody } from './request-body.ts'
import { writeAnswer } from './write-answer.ts'

export interface RequestListenerParts extends ReceptionParts, ClientOptions {
  /** For every answer that has none of the name itself. @default none */
  readonly headers?: Readonly<Record<string, readonly string[]>> | undefined
  readonly log: Logger
  /** Failures alone have a line in the log. @default false */
  readonly accessLogDisabled?: boolean | undefined
  /** Requests come from other processes of this registry, which tell who asked them. @default false */
  readonly local?: boolean | undefined
  /** Watches every request. */
  readonly observer?: RequestObserver | undefined
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
const METHODS_WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

/** A request, and who sent it. */
interface Arrival {
  /** The client waits for `100 Continue`. */
  readonly awaited: boolean
  readonly seen: SeenRequest
  readonly client: Client
}

/** What wraps every request: its id, its log line, the signal of its client, the mapping of errors, the one answer. */
export class RequestListener {
  readonly #parts: RequestListenerParts
  readonly #reception: Reception
  readonly #accessLog: AccessLog
  readonly #prefix = randomBytes(4).toString('hex')
  readonly #bodies = new ByteBudget(BODY_BYTES)
  /** Requests of a connection that wait for those before them. */
  readonly #waiting = new WeakMap<Socket, number>()
  readonly #headers: OutgoingHttpHeaders
  #count = 0

  constructor(parts: RequestListenerParts) {
    this.#parts = parts
    this.#reception = new Reception(parts)
    this.#headers = headersOf(parts.headers)
    this.#accessLog = new AccessLog(parts.log, parts.accessLogDisabled ?? false)
  }

  /**
   * Requests that come before the answers to those before them have left wait for their turn: begun at once, a thousand in
   * 60 KB would have their answers in memory together, and none would learn that its client went away.
   *
   * @param awaited the client waits for `100 Continue`
   */
  handle(request: HttpRequest, response: HttpResponse, awaited: boolean): void {
    const begin = (): void => void this.#handle(request, response, awaited)
    if (isHttp2(request) || response.socket !== null) return begin()
    const { socket } = request
    const waiting = (this.#waiting.get(socket) ?? 0) + 1
    this.#waiting.set(socket, waiting)
    if (waiting > MAX_PIPELINED) socket.destroy()
    // Node lends the socket to one response after the other.
    response.once('socket', () => {
      this.#waiting.set(socket, (this.#waiting.get(socket) ?? 1) - 1)
      begin()
    })
  }

  /** Never rejects. */
  async #handle(request: HttpRequest, response: HttpResponse, awaited: boolean): Promise<void> {
    const { observer, local = false } = this.#parts
    const { method = '', url = '', headers: { traceparent } } = request
    const passed = local ? readPassedOn(request.headers[PASSED_ON]) : undefined
    const seen: SeenRequest = {
      id: passed?.id ?? `${this.#prefix}-${(this.#count++).toString(36)}`, method, traceparent: typeof traceparent === 'string' ? traceparent : undefined,
      handler: 'other', user: passed?.user, status: 0, errorCode: undefined, received: 0, sent: 0,
    }
    const client = passed?.client ?? clientOf(request, this.#parts)
    const began = performance.now()
    let failure: unknown
    const work = async (): Promise<void> => {
      try {
        failure = await this.#respond(request, response, { awaited, seen, client })
      } catch (error) {
        failure = error
        cutOff(response)
      }
      const isLeft = failure instanceof ClientGoneError || (failure !== undefined && isGone(response) && !response.headersSent)
      seen.status = isLeft ? 499 : response.statusCode
      if (failure !== undefined && !isLeft) seen.errorCode = toRegistryError(failure).code
    }
    await requestScope.run(seen, () => observer?.during(seen, work) ?? work())
    this.#accessLog.write(seen, client, url, performance.now() - began, failure)
  }

  /** Resolves with the error that became the answer, if one did. */
  async #respond(request: HttpRequest, response: HttpResponse, { awaited, seen, client }: Arrival): Promise<unknown> {
    const { bodyTimeout = BODY_TIMEOUT, pieceTimeout = PIECE_TIMEOUT, prefix } = this.#parts
    const body = new RequestBody(request, response, { awaited, timeout: bodyTimeout, budget: this.#bodies, client: countedAs(undefined, client.address), traffic: seen })
    const common = { ...this.#headers, 'X-Request-Id': seen.id }
    const write = (answer: Answer): Promise<void> => {
      body.discard()
      return writeAnswer(response, prefix?.added(answer) ?? answer, common, pieceTimeout, seen)
    }
    const leaving: Leave[] = []
    try {
      request.url = originForm(request.url ?? '')
      checkCoding(request)
      // It would wait in memory for as long as the answer takes.
      if (!METHODS_WITH_BODY.has(seen.method)) body.discard()
      const answer = await this.#reception.answer({ id: seen.id, seen, request, body, client, leaving, signal: signalOf(response) })
      await write(answer)
      return undefined
    } catch (error) {
      if (response.headersSent || isGone(response)) throw error
      await write(errorAnswer(toRegistryError(error)))
      return error
    } finally {
      body.release()
      for (const leave of leaving) leave()
    }
  }
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

/** What every answer has. Names are written as answers write theirs, so that each is there once. */
function headersOf(own: RequestListenerParts['headers'] = {}): OutgoingHttpHeaders {
  const theirs = Object.entries(own).map(([name, values]) => [capitals(name), values.length === 1 ? values[0] : [...values]] as const)
  return { 'Docker-Distribution-API-Version': 'registry/2.0', 'X-Content-Type-Options': 'nosniff', ...Object.fromEntries(theirs) }
}

function capitals(name: string): string {
  const written = name.toLowerCase().replace(/(?<![^-])[a-z]/g, (letter) => letter.toUpperCase())
  return written === 'Docker-Distribution-Api-Version' ? 'Docker-Distribution-API-Version' : written
}

function signalOf(response: HttpResponse): AbortSignal {
  const controller = new AbortController()
  response.once('close', () => {
    if (!isThrough(response)) controller.abort(new ClientGoneError())
  })
  return controller.signal
}
