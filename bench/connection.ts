import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { AUTHORIZATION } from './login.ts'

export interface Request {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Without the login. @default false */
  readonly anonymous?: boolean
  /** Bytes as they go over the wire: framed already, where `headers` announces a transfer coding. */
  readonly body?: Iterable<Uint8Array>
  /** Sees the body as it arrives; a chunk is gone afterwards. @default the body is kept */
  readonly onBody?: (chunk: Uint8Array) => void
}

export interface Response {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  /** Empty where `onBody` took it. */
  readonly body: Buffer
}

interface Pending {
  readonly request: Request
  readonly resolve: (response: Response) => void
  readonly reject: (error: Error) => void
  head: string
  response?: { status: number; headers: Map<string, string>; remaining: number; kept: Buffer[] }
}

/**
 * A keep-alive HTTP/1.1 connection to 127.0.0.1 that costs the client as little as can be: it reads into one buffer
 * and writes what it is given. Knows answers with a `Content-Length` only.
 */
export class Connection {
  readonly #socket: Socket
  readonly #port: number
  #pending: Pending | undefined
  #failure: Error | undefined

  private constructor(port: number) {
    this.#port = port
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(512 * 1024),
        callback: (length, buffer) => {
          this.#receive(Buffer.from(buffer.buffer, buffer.byteOffset, length))
          return true
        },
      },
    })
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => this.#fail(new Error('the server closed the connection')))
  }

  static async open(port: number): Promise<Connection> {
    const connection = new Connection(port)
    await once(connection.#socket, 'connect')
    return connection
  }

  /** One at a time. @throws Error when the connection breaks */
  async request(request: Request): Promise<Response> {
    if (this.#failure !== undefined) throw this.#failure
    const answer = new Promise<Response>((resolve, reject) => {
      this.#pending = { request, resolve, reject, head: '' }
    })
    answer.catch(() => {})
    const headers = Object.entries(request.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`)
    const login = request.anonymous === true ? '' : `Authorization: ${AUTHORIZATION}\r\n`
    this.#socket.write(`${request.method} ${request.path} HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\n${login}${headers.join('')}\r\n`)
    for (const chunk of request.body ?? []) {
      // An early answer is an error: no need to send the rest.
      if (this.#pending === undefined) break
      await new Promise((resolve) => this.#socket.write(chunk, resolve))
    }
    return await answer
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    const pending = this.#pending
    if (pending === undefined) return
    let rest = chunk
    if (pending.response === undefined) {
      // The end of the head may lie across two reads, so look in all of it; its length in bytes is its length in latin1.
      const before = pending.head.length
      pending.head += chunk.toString('latin1', 0, Math.min(chunk.length, 16 * 1024))
      const end = pending.head.indexOf('\r\n\r\n')
      if (end < 0) return
      rest = chunk.subarray(end + 4 - before)
      pending.response = parseHead(pending.head.slice(0, end), pending.request.method)
    }
    const { response } = pending
    if (pending.request.onBody !== undefined) pending.request.onBody(rest)
    else if (rest.length > 0) response.kept.push(Buffer.from(rest))
    response.remaining -= rest.length
    if (response.remaining > 0) return
    this.#pending = undefined
    if (Number.isNaN(response.remaining)) this.#fail(new Error(`an answer without Content-Length: ${pending.head}`))
    pending.resolve({ status: response.status, headers: response.headers, body: Buffer.concat(response.kept) })
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#pending?.reject(error)
    this.#pending = undefined
  }
}

function parseHead(head: string, method: string): { status: number; headers: Map<string, string>; remaining: number; kept: Buffer[] } {
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  const status = Number(statusLine.split(' ')[1])
  const length = status === 204 || method === 'HEAD' ? 0 : Number(headers.get('content-length'))
  return { status, headers, remaining: length, kept: [] }
}
