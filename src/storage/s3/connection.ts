import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface Server {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  /** Whether its certificate has to be right. */
  readonly verify: boolean
}

/** In milliseconds: to connect, and for bytes that are waited for. */
const CONNECT_TIMEOUT = 5_000
const SILENCE = 15_000
/** Bytes into which what comes first is read: a head. */
const FIRST = 16 * 1024

/**
 * A socket that reads into memory of ours, which costs a quarter of what it costs to have new memory for each read. One
 * chunk at a time is good, and one more is read ahead.
 */
export class Connection {
  readonly #socket: Socket
  readonly #first = Buffer.allocUnsafeSlow(FIRST)
  #come: { readonly chunk: Buffer; readonly memory: Uint8Array } | undefined
  #buffers: readonly Buffer[] = [this.#first]
  #turn = 0
  /** Where the next read goes to; and what somebody looks at. */
  #upcoming: Uint8Array = this.#first
  #held: Uint8Array | undefined
  #reading = true
  #waiting: PromiseWithResolvers<void> | undefined
  #failure: Error | undefined

  private constructor(server: Server) {
    const onread = { buffer: () => this.#nextBuffer(), callback: (size: number, buffer: Uint8Array) => this.#read(size, buffer) }
    const { host, port, tls, verify } = server
    const options = { host, port, onread, noDelay: true, timeout: CONNECT_TIMEOUT }
    this.#socket = tls
      ? connectTls({ ...options, ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }), rejectUnauthorized: verify, ALPNProtocols: ['http/1.1'] })
      : connectPlain(options)
    this.#socket.on('error', (error) => this.#fail(error)).on('close', () => this.#fail(reset('the connection was closed')))
      .on('end', () => this.#fail(reset('the connection was ended'))).on('timeout', () => this.#socket.destroy(timedOut()))
  }

  static async open(server: Server): Promise<Connection> {
    const connection = new Connection(server)
    const socket = connection.#socket
    await new Promise<void>((resolve, reject) => {
      socket.once(server.tls ? 'secureConnect' : 'connect', resolve).once('close', () => reject(connection.#failure ?? reset('it was closed')))
    })
    socket.setTimeout(0)
    return connection
  }

  /** Whether it can be used: nobody has closed it, and nothing came that nobody asked for. */
  get usable(): boolean {
    return this.#failure === undefined && this.#come === undefined
  }

  send(text: string): void {
    this.#socket.write(text, 'latin1')
  }

  /** Memory for what comes from now on, in turns: of two, one is read into while the other is looked at. */
  use(buffers: readonly Buffer[]): void {
    this.#buffers = buffers
  }

  /** Back to its own. */
  useOwn(): void {
    this.#buffers = [this.#first]
  }

  /** What came. Good until the next one is asked for. */
  async next(): Promise<Buffer> {
    this.#held = undefined
    this.#continue()
    while (this.#come === undefined) {
      if (this.#failure !== undefined) throw this.#failure
      this.#waiting ??= Promise.withResolvers()
      const timer = setTimeout(() => this.#socket.destroy(timedOut()), SILENCE)
      await this.#waiting.promise
      clearTimeout(timer)
    }
    const { chunk, memory } = this.#come
    this.#come = undefined
    this.#held = memory
    this.#continue()
    return chunk
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Nobody waits for it; a process may end. */
  rest(): void {
    this.#held = undefined
    this.#continue()
    this.#socket.unref()
  }

  wake(): void {
    this.#socket.ref()
  }

  /** Reads on, where that goes into memory that nobody looks at. */
  #continue(): void {
    if (this.#reading || this.#come !== undefined || this.#upcoming === this.#held) return
    this.#reading = true
    this.#socket.resume()
  }

  #nextBuffer(): Uint8Array {
    this.#upcoming = this.#buffers[this.#turn++ % this.#buffers.length] ?? this.#first
    return this.#upcoming
  }

  #read(size: number, memory: Uint8Array): boolean {
    this.#come = { chunk: Buffer.from(memory.buffer, memory.byteOffset, size), memory }
    this.#reading = false
    this.#waiting?.resolve()
    this.#waiting = undefined
    return false
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#waiting?.resolve()
    this.#waiting = undefined
  }
}

function reset(message: string): Error {
  return Object.assign(new Error(message), { code: 'ECONNRESET' })
}

function timedOut(): Error {
  return Object.assign(new Error('nothing came for too long'), { code: 'ETIMEDOUT' })
}
