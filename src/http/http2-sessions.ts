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
  readonly #sessions = new Set<ServerHttp2Session>()

  constructor({ listener, idleTimeout, keepAlive, headerSize }: Http2SessionsOptions) {
    this.#server = createServer({
      settings: { initialWindowSize: STREAM_WINDOW, maxConcurrentStreams: STREAMS, maxHeaderListSize: headerSize },
      maxSessionMemory: SESSION_MEMORY,
      streamResetBurst: RESETS,
      streamResetRate: RESETS_A_SECOND,
    })
    this.#server.setTimeout(idleTimeout)
    this.#server.on('request', (request, response) => void listener.handle(request, response, false))
    this.#server.on('checkContinue', (request, response) => void listener.handle(request, response, true))
    // What a client does wrong ends its own connection, and is nobody else's business.
    this.#server.on('sessionError', () => {})
    this.#server.on('session', (session) => this.#keep(session, keepAlive))
  }

  /** Nothing of the connection may have been read, but what was given back to it. */
  take(socket: Socket): void {
    this.#server.emit('connection', socket)
  }

  /** Each session ends when its requests have. */
  close(): void {
    for (const session of this.#sessions) session.close()
  }

  destroy(): void {
    for (const session of this.#sessions) session.destroy()
  }

  /** One that pings is not idle for Node, and one whose first request never becomes whole isn't either. */
  #keep(session: ServerHttp2Session, keepAlive: number): void {
    this.#sessions.add(session)
    session.setLocalWindowSize(SESSION_WINDOW)
    let open = 0
    let timer: NodeJS.Timeout | undefined
    const goodbye = (): void => {
      session.close()
      timer = setTimeout(() => session.destroy(), GOODBYE).unref()
    }
    const rest = (): void => {
      timer = setTimeout(goodbye, keepAlive).unref()
    }
    rest()
    session.on('stream', (stream) => {
      open++
      clearTimeout(timer)
      stream.once('close', () => {
        open--
        if (open === 0 && !session.destroyed) rest()
      })
    })
    session.once('close', () => {
      clearTimeout(timer)
      this.#sessions.delete(session)
    })
  }
}
