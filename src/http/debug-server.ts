import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RegistryError } from '../oci/errors.ts'
import type { Logger } from '../telemetry/logger.ts'
import { errorAnswer, toRegistryError } from './error-answer.ts'
import type { Page } from './health-pages.ts'
import { writeAnswer } from './write-answer.ts'

/** Milliseconds that a client may take for its request, and for its answer. */
const TIMEOUT = 30_000

/** What those who run the registry look at, on an address of its own. Asks nobody who they are. */
export class DebugServer {
  readonly #pages: ReadonlyMap<string, Page>
  readonly #log: Logger
  readonly #server: Server

  constructor(pages: ReadonlyMap<string, Page>, log: Logger) {
    this.#pages = pages
    this.#log = log
    this.#server = createServer({ requestTimeout: TIMEOUT, headersTimeout: TIMEOUT }, (request, response) => void this.#handle(request, response))
    this.#server.setTimeout(TIMEOUT)
  }

  /** @param address `host:port` or `:port`, which is all of them. @throws Error when it can't be listened on */
  async listen(address: string): Promise<AddressInfo> {
    const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? []
    await new Promise<void>((resolve, reject) => {
      const fail = (cause: Error): void => reject(new Error(`the debug address ${address}: ${cause.message}`, { cause }))
      this.#server.once('error', fail)
      this.#server.listen({ port: Number(port), ...(host === '' ? {} : { host }) }, () => {
        this.#server.off('error', fail)
        // A connection that can't be taken, for want of memory, is no reason to end.
        this.#server.on('error', (err) => this.#log.error({ err }, 'a connection could not be taken'))
        resolve()
      })
    })
    return this.#server.address() as AddressInfo
  }

  /** Cuts off who is still there. Safe to repeat. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume()
    try {
      // Whom a page of somebody's browser may reach, on their own machine above all, it must not switch.
      if (request.method === 'POST' && request.headers.origin !== undefined) throw new RegistryError('DENIED', 'not for web pages')
      const page = this.#pages.get((request.url ?? '').replace(/\?.*$/, ''))
      if (page === undefined) throw new RegistryError('UNSUPPORTED', `only ${[...this.#pages.keys()].join(', ')}`, { status: 404 })
      await writeAnswer(response, await page(request), {}, TIMEOUT)
    } catch (err) {
      const told = toRegistryError(err)
      if (told.status >= 500) this.#log.error({ err, url: request.url }, 'the debug server failed')
      if (response.headersSent) response.destroy()
      else await writeAnswer(response, errorAnswer(told), {}, TIMEOUT).catch(() => response.destroy())
    }
  }
}
