import { Agent, request as send, type IncomingMessage } from 'node:http'
import { RegistryError } from '../oci/errors.ts'
import type { Answer } from './answer.ts'
import { hostOf, type HttpRequest } from './message.ts'
import { PASSED_ON, writePassedOn } from './passed-on.ts'
import type { Asker } from './reception.ts'

/** Headers that belong to one connection (RFC 9110 §7.6.1). */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect'])
/** Headers that every answer gets anyway, here as over there. */
const COMMON_HEADERS: ReadonlySet<string> = new Set(['date', 'content-length', 'docker-distribution-api-version', 'x-content-type-options', 'x-request-id'])

/** The process of this registry that has the network, behind a socket of the same machine. */
export class Upstream {
  readonly #socketPath: string
  readonly #traceparent: () => string | undefined
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1024 })

  /** @param traceparent the header of this name for a request that goes out now, where it is part of a trace */
  constructor(socketPath: string, traceparent: () => string | undefined = () => undefined) {
    this.#socketPath = socketPath
    this.#traceparent = traceparent
  }

  /** The answer to a GET or HEAD from over there. @throws RegistryError UNAVAILABLE when nobody is there */
  async answer(request: HttpRequest, asker: Asker, signal: AbortSignal): Promise<Answer> {
    const answer = await this.#ask(request, asker, signal)
    const kept = Object.entries(answer.headers).filter(([name]) => !CONNECTION_HEADERS.has(name) && !COMMON_HEADERS.has(name))
    const length = answer.headers['content-length']
    const head = { status: answer.statusCode ?? 502, headers: Object.fromEntries(kept) }
    // Nobody reads the body of an answer that has none, and its connection is wanted back.
    if (request.method === 'HEAD' || head.status === 304) answer.resume()
    return head.status === 304 ? head : { ...head, body: { length: length === undefined ? undefined : Number(length), read: () => answer } }
  }

  close(): void {
    this.#agent.destroy()
  }

  #ask(request: HttpRequest, asker: Asker, signal: AbortSignal): Promise<IncomingMessage> {
    const { method, url } = request
    const { authorization: _, ...headers } = request.headers
    const traceparent = this.#traceparent()
    return new Promise((resolve, reject) => {
      // Without the body, its length would have the next request on the connection read as one.
      const passed = Object.entries(headers).filter(([name]) => !name.startsWith(':') && name !== 'content-length' && !CONNECTION_HEADERS.has(name))
      const own = { ...(traceparent === undefined ? {} : { traceparent }), host: hostOf(request), [PASSED_ON]: writePassedOn(asker) }
      const question = send({ socketPath: this.#socketPath, agent: this.#agent, method, path: url, headers: { ...Object.fromEntries(passed), ...own }, signal })
      question.once('response', resolve)
      question.on('error', (cause) => reject(new RegistryError('UNAVAILABLE', 'the process with the network is not there', { cause })))
      question.end()
    })
  }
}
