import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import type { RequestListener } from './request-listener.ts'

export interface Http2SessionsOptions {
  readonly listener: RequestListener
  /** Connections on which nothing moves for so long are dropped, in milliseconds. */
  readonly idleTimeout: number
  /** How long a connection may be without a request, in milliseconds. */
  readonly keepAlive: number
  /** Bytes of the headers of a request. */
  readonly headerSize: number
}

/** Requests of one connection that may be under way at once. */
const STREAMS = 128
/** Bytes that a client may send of a body before it is read; of all bodies of a connection. */
const STREAM_WINDOW = 1024 * 1024
const SESSION_WINDOW = 16 * 1024 * 1024
/** Requests that a client may take back at once, and a second in the long run (CVE-2023-44487). */
const RESETS = 300
const RESETS_A_SECOND = 30
/** What of a session may wait in memory to be sent, in MiB; beyond it no request begins. */
const SESSION_MEMORY = 64
/** From saying that no more requests are taken to the end of a connection that has none, in milliseconds. */
const GOODBYE = 1_000

/** Connections that speak HTTP/2, whatever they came over. */
export class Http2Sessions {
  readonly #server: Http2Server
  readonly #keepAlive: number
  readonly #connections = new Set<Http2Connection>()

  constructor({ listener, idleTimeout, keepAlive, headerSize }: Http2SessionsOptions) {
    this.#keepAlive = keepAlive
    this.#server = createServer({
      settings: { initialWindowSize: STREAM_WINDOW, maxConcurrentStreams: STREAMS, maxHeaderListSize: headerSize },
      maxSessionMemory: SESSION_MEMORY,
      streamResetBurst: RESETS,
      streamResetRate: RESETS_A_SECOND,
    })
    this.#server.setTimeout(idleTimeout)
    this.#server.on('request', (request, response) => listener.handle(request, response, false))
    this.#server.on('checkContinue', (request, response) => listener.handle(request, response, true))
    // What a client does wrong ends its own connection, and is nobody else's business.
    this.#server.on('sessionError', () => {})
  }

  /** Nothing of the connection may have been read, but what was given back to it. */
  take(socket: Socket): void {
    // Sockets of Node's server of HTTP/1 stay open when their client ends them, and a stream that has to wait would stay with them.
    socket.allowHalfOpen = false
    this.#server.once('session', (session) => {
      session.setLocalWindowSize(SESSION_WINDOW)
      const connection = new Http2Connection(session, socket, this.#keepAlive)
      this.#connections.add(connection)
      socket.once('close', () => this.#connections.delete(connection))
    })
    this.#server.emit('connection', socket)
  }

  /** Each connection ends when its requests have. */
  close(): void {
    for (const connection of this.#connections) connection.close()
  }

  /** Those that have no request end. */
  closeIdle(): void {
    for (const connection of this.#connections) if (connection.isIdle) connection.close()
  }
}

/**
 * Ends a connection without requests. One that pings is not idle for Node, nor is one whose first request never becomes
 * whole; and of one that is to close, Node ends its own half only, and waits for the client for ever.
 */
class Http2Connection {
  readonly #session: ServerHttp2Session
  readonly #socket: Socket
  readonly #keepAlive: number
  #open = 0
  #closing = false
  #timer: NodeJS.Timeout | undefined

  constructor(session: ServerHttp2Session, socket: Socket, keepAlive: number) {
    this.#session = session
    this.#socket = socket
    this.#keepAlive = keepAlive
    session.on('stream', (stream) => {
      this.#open++
      clearTimeout(this.#timer)
      // Of one that is taken back without an error Node waits for the answer to leave, which it never will.
      stream.once('end', () => (stream.closed ? stream.destroy() : undefined))
      stream.once('close', () => {
        this.#open--
        this.#rest()
      })
    })
    socket.once('close', () => clearTimeout(this.#timer))
    this.#rest()
  }

  get isIdle(): boolean {
    return this.#open === 0
  }

  close(): void {
    this.#closing = true
    this.#session.close()
    this.#rest()
  }

  #rest(): void {
    if (this.#open > 0 || this.#socket.destroyed) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => (this.#closing ? this.#socket.destroy() : this.close()), this.#closing ? GOODBYE : this.#keepAlive).unref()
  }
}
