import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from '../telemetry/logger.ts'
import { RequestListener, type RequestListenerParts } from './request-listener.ts'

export interface HttpServerOptions extends RequestListenerParts {
  /** Connections on which nothing moves for so long are dropped, in milliseconds. @default 10 minutes */
  readonly idleTimeout?: number | undefined
}

export interface ListenOptions {
  readonly host: string
  /** 0 for any that is free. */
  readonly port: number
}

/** A socket of this machine, for other processes of the same registry. */
export interface ListenLocally {
  readonly path: string
}

const IDLE_TIMEOUT = 600_000
/** Between two requests of one connection; above what load balancers keep one for (60 s is common). */
const KEEP_ALIVE_TIMEOUT = 75_000
const HEADERS_TIMEOUT = 60_000
/** Body bytes that wait in memory for the store, per request. */
const HIGH_WATER_MARK = 256 * 1024

/** The HTTP face on a port. */
export class HttpServer {
  readonly #server: Server
  readonly #log: Logger

  constructor({ idleTimeout = IDLE_TIMEOUT, ...parts }: HttpServerOptions) {
    const listener = new RequestListener(parts)
    this.#log = parts.log
    this.#server = createServer({
      keepAlive: true,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      headersTimeout: HEADERS_TIMEOUT,
      // A layer may take hours; that its connection is alive is what the idle time-out sees to.
      requestTimeout: 0,
      highWaterMark: HIGH_WATER_MARK,
      noDelay: true,
    })
    this.#server.setTimeout(idleTimeout)
    this.#server.on('request', (request, response) => void listener.handle(request, response, false))
    this.#server.on('checkContinue', (request, response) => void listener.handle(request, response, true))
  }

  /** @throws Error when the port is taken */
  async listen(options: ListenOptions): Promise<AddressInfo> {
    await this.#bind(options)
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the server has no TCP address')
    return address
  }

  async listenLocally({ path }: ListenLocally): Promise<void> {
    await this.#bind({ path })
  }

  /** Accepts nothing more, lets what is in flight finish, and after `grace` milliseconds cuts it off. Safe to repeat. */
  async stop(grace: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    // A connection whose request ends only now becomes idle only now.
    const sweep = setInterval(() => this.#server.closeIdleConnections(), 50)
    const deadline = setTimeout(() => this.#server.closeAllConnections(), grace)
    await closed
    clearInterval(sweep)
    clearTimeout(deadline)
  }

  #bind(options: ListenOptions | ListenLocally): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(options, () => {
        this.#server.off('error', reject)
        // A connection that can't be taken, for want of memory, is no reason to end.
        this.#server.on('error', (err) => this.#log.error({ err }, 'a connection could not be taken'))
        resolve()
      })
    })
  }
}
