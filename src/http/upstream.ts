import { Agent, request as send, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { RegistryError } from '../oci/errors.ts'
import { ClientGoneError } from './client-gone.ts'

/** Headers that belong to one connection (RFC 9110 §7.6.1). */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect'])

/** The process of this registry that has the network, behind a socket of the same machine. */
export class Upstream {
  readonly #socketPath: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1024 })

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  /** Has a GET or HEAD answered over there and streams the answer back. @throws RegistryError UNAVAILABLE when nobody is there */
  async forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await this.#ask(request, response)
    const headers = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !CONNECTION_HEADERS.has(name)))
    response.writeHead(answer.statusCode ?? 502, headers)
    let left = false
    response.once('close', () => {
      left = answer.errored === null
    })
    try {
      await pipeline(answer, response)
    } catch (cause) {
      throw left ? new ClientGoneError() : cause
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  #ask({ method, url, headers }: IncomingMessage, response: ServerResponse): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      // Without the body, its length would have the next request on the connection read as one.
      const passed = Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'content-length' && !CONNECTION_HEADERS.has(name)))
      const question = send({ socketPath: this.#socketPath, agent: this.#agent, method, path: url, headers: passed })
      question.once('response', resolve)
      question.on('error', (cause) => reject(new RegistryError('UNAVAILABLE', 'the process with the network is not there', { cause })))
      response.once('close', () => question.destroy())
      question.end()
    })
  }
}
