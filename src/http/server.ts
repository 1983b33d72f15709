import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Logger } from '../telemetry/logger.ts'
import { ConnectionLimits, type ConnectionLimitsOptions } from './connection-limits.ts'
import { firstBytes } from './first-bytes.ts'
import { Http2Sessions } from './http2-sessions.ts'
import { RequestListener, type RequestListenerParts } from './request-listener.ts'
import { isLetIn, type TlsFiles } from './tls-files.ts'

export interface HttpServerOptions extends RequestListenerParts {
  /** Connections on which nothing moves for so long are dropped, in milliseconds. @default 10 minutes */
  readonly idleTimeout?: number | undefined
  /** How long a client may take for its greeting and for the headers of a request, in milliseconds. @default 1 minute */
  readonly headersTimeout?: number | undefined
  /** How long a connection may be idle between two requests, in milliseconds; above what load balancers keep one for (60 s is common). @default 75 s */
  readonly keepAliveTimeout?: number | undefined
  /** @default plain HTTP */
  readonly tls?: TlsFiles | undefined
  /** HTTP/2 where a client offers it, over TLS. @default true */
  readonly http2?: boolean | undefined
  /** HTTP/2 for clients that begin with it, without TLS. @default false */
  readonly h2c?: boolean | undefined
  /** Most bytes of the headers of a request. @default 16 KiB */
  readonly headerSize?: number | undefined
  /** @default as many connections as come */
  readonly connections?: Omit<ConnectionLimitsOptions, 'makeRoom'> | undefined
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
const KEEP_ALIVE_TIMEOUT = 75_000
const HEADERS_TIMEOUT = 60_000
const HEADER_SIZE = 16 * 1024
/** Body bytes that wait in memory for the store, per request. */
const HIGH_WATER_MARK = 256 * 1024
/** RFC 8446 §5.1: the record that a handshake comes in. */
const HANDSHAKE = 0x16
/** What HTTP/2 begins with (RFC 9113 §3.4), and no method of HTTP/1 that there is. */
const PREFACE = 'PRI'
/** Connections beyond the limit that are told so; further ones are merely dropped. */
const TURNED_AWAY = 256
/** The words of Go, by which clients know what happened. */
const NOT_TLS = answerAtOnce('400 Bad Request', 'Client sent an HTTP request to an HTTPS server.\n')
const BUSY = answerAtOnce('503 Service Unavailable', 'too many connections\n', 'Retry-After: 5\r\n')

/** The HTTP face on a port: HTTP/1 and HTTP/2, plain or over TLS. */
export class HttpServer {
  readonly #options: HttpServerOptions
  readonly #server: Server | TlsServer
  readonly #http2: Http2Sessions | undefined
  readonly #limits: ConnectionLimits | undefined
  /** Whatever they speak: of those that have not told yet, no server of Node's knows. */
  readonly #sockets = new Set<Socket>()
  readonly #log: Logger

  constructor(options: HttpServerOptions) {
    const { idleTimeout = IDLE_TIMEOUT, headersTimeout = HEADERS_TIMEOUT, keepAliveTimeout = KEEP_ALIVE_TIMEOUT, headerSize = HEADER_SIZE, tls, connections, log } = options
    const listener = new RequestListener(options)
    this.#options = options
    this.#log = log
    const settings = {
      keepAlive: true,
      keepAliveTimeout,
      headersTimeout,
      connectionsCheckingInterval: Math.min(30_000, headersTimeout),
      // A layer may take hours; that its connection is alive is what the idle time-out sees to.
      requestTimeout: 0,
      highWaterMark: HIGH_WATER_MARK,
      maxHeaderSize: headerSize,
      noDelay: true,
    }
    const speaksHttp2 = tls === undefined ? options.h2c === true : options.http2 !== false
    this.#http2 = speaksHttp2 ? new Http2Sessions({ listener, idleTimeout, keepAlive: keepAliveTimeout, headerSize }) : undefined
    this.#server = tls === undefined ? createServer(settings) : createTlsServer({
      ...settings,
      ...tls.context,
      ALPNProtocols: speaksHttp2 ? ['h2', 'http/1.1'] : ['http/1.1'],
      handshakeTimeout: headersTimeout,
      requestCert: tls.clientAuth !== undefined,
      rejectUnauthorized: tls.clientAuth === 'require-and-verify-client-cert',
    })
    this.#limits = connections && new ConnectionLimits({ ...connections, makeRoom: () => this.#closeIdle() })
    this.#server.setTimeout(idleTimeout)
    this.#server.on('request', (request, response) => listener.handle(request, response, false))
    this.#server.on('checkContinue', (request, response) => listener.handle(request, response, true))
    this.#receive(headersTimeout)
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
    this.#options.tls?.close()
    this.#http2?.close()
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy()
    // A connection whose request ends only now becomes idle only now.
    const sweep = setInterval(() => this.#server.closeIdleConnections(), 50)
    const deadline = setTimeout(() => this.#sockets.forEach((socket) => socket.destroy()), grace)
    await closed
    clearInterval(sweep)
    clearTimeout(deadline)
  }

  /** Puts what counts connections, and tells what they speak, before what serves them. */
  #receive(timeout: number): void {
    const { tls } = this.#options
    const server = this.#server
    const serve = replaceListener(server, 'connection', (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      if (this.#limits?.admits(socket) === false) return this.#turnAway(socket)
      if (tls !== undefined) return firstBytes(socket, 1, timeout, ([first]) => (first === HANDSHAKE ? serve(socket) : refuse(socket, NOT_TLS)))
      const http2 = this.#http2
      if (http2 === undefined) return serve(socket)
      firstBytes(socket, PREFACE.length, timeout, (bytes) => (bytes.toString('latin1') === PREFACE ? http2.take(socket) : serve(socket)))
    })
    if (tls === undefined) return
    const serveSecure = replaceListener(server, 'secureConnection', (socket) => {
      if (!isLetIn(socket as TLSSocket, tls.clientAuth)) return void socket.destroy()
      if ((socket as TLSSocket).alpnProtocol === 'h2' && this.#http2 !== undefined) this.#http2.take(socket)
      else serveSecure(socket)
    })
    server.on('tlsClientError', (err: Error) => this.#log.debug({ err }, 'a client did not come to terms over TLS'))
    tls.watch((context) => (server as TlsServer).setSecureContext(context))
  }

  #turnAway(socket: Socket): void {
    const { tls, connections } = this.#options
    if (tls === undefined && this.#sockets.size <= (connections?.total ?? 0) + TURNED_AWAY) refuse(socket, BUSY)
    else socket.destroy()
  }

  #closeIdle(): void {
    this.#server.closeIdleConnections()
    this.#http2?.closeIdle()
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

type OnSocket = (socket: Socket) => void

/** Node serves what these events bring by a listener of its own. Gives that one, for the new one to call. */
function replaceListener(server: Server | TlsServer, event: 'connection' | 'secureConnection', listener: OnSocket): OnSocket {
  const [own] = server.listeners(event) as OnSocket[]
  if (own === undefined) throw new Error(`Node has no listener for ${event}`)
  server.removeAllListeners(event)
  server.on(event, listener)
  return (socket) => own.call(server, socket)
}

function answerAtOnce(status: string, text: string, headers = ''): string {
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${text.length}\r\n${headers}Connection: close\r\n\r\n${text}`
}

function refuse(socket: Socket, answer: string): void {
  socket.on('error', () => {})
  socket.end(answer)
  // What is left unread would have the answer lost.
  socket.resume()
  setTimeout(() => socket.destroy(), 1_000).unref()
}
