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
/** Bytes of the memory that a connection has of its own. */
const FIRST = 16 * 1024
/** Bytes below which the rest of a piece of memory is not worth a read. */
const LEAST = 2048

/** Memory that is filled from its start to its end. */
interface Slot {
  readonly bytes: Buffer
  filled: number
  /** Bytes that have been looked at. */
  taken: number
  /** Nothing more is to come into it. */
  retired: boolean
}

/**
 * A socket that reads into memory of ours, which costs a quarter of what it costs to have new memory for each read: while
 * somebody looks at what came, it fills the rest. TLS gives what it has decrypted even after it was told to stop, so some
 * is always left for that.
 */
export class Connection {
  readonly #socket: Socket
  #current: Slot = slotOf(Buffer.allocUnsafeSlow(FIRST))
  /** In the order of what came. */
  readonly #queue: Slot[] = [this.#current]
  #free: Slot[] = []
  #waiting: PromiseWithResolvers<void> | undefined
  #failure: Error | undefined
  #reading = true

  private constructor(server: Server) {
    const onread = { buffer: () => this.#nextBuffer(), callback: (size: number) => this.#read(size) }
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
    return this.#failure === undefined && this.#queue.every(({ filled, taken }) => filled === taken)
  }

  send(text: string): void {
    this.#socket.write(text, 'latin1')
  }

  /** Memory for what comes from now on, at least two pieces. */
  use(memory: readonly Buffer[]): void {
    this.#retire()
    this.#free = memory.map(slotOf)
  }

  /** Nothing in particular is to come. */
  useOwn(): void {
    this.#retire()
    this.#free = []
  }

  /** What came. Good until the next one is asked for. */
  async next(): Promise<Buffer> {
    this.#letGo()
    for (;;) {
      const slot = this.#queue.find(({ filled, taken }) => filled > taken)
      if (slot !== undefined) {
        const chunk = slot.bytes.subarray(slot.taken, slot.filled)
        slot.taken = slot.filled
        return chunk
      }
      if (this.#failure !== undefined) throw this.#failure
      this.#waiting ??= Promise.withResolvers()
      const timer = setTimeout(() => this.#socket.destroy(timedOut()), SILENCE)
      await this.#waiting.promise
      clearTimeout(timer)
    }
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Nobody waits for it; a process may end. */
  rest(): void {
    this.#letGo()
    this.#socket.unref()
  }

  wake(): void {
    this.#socket.ref()
  }

  #retire(): void {
    for (const slot of [...this.#free, ...this.#queue]) slot.retired = true
  }

  #letGo(): void {
    while (this.#queue[0] !== undefined && this.#queue[0] !== this.#current && this.#queue[0].taken === this.#queue[0].filled) {
      const slot = this.#queue.shift()
      if (slot !== undefined && !slot.retired) this.#free.push(slot)
    }
    if (this.#reading || !this.#hasRoom()) return
    this.#reading = true
    this.#socket.resume()
  }

  #hasRoom(): boolean {
    const { bytes, filled, retired } = this.#current
    return this.#free.length > 0 || (!retired && bytes.byteLength - filled > bytes.byteLength / 4) || this.#queue.every((slot) => slot.filled === slot.taken)
  }

  #nextBuffer(): Uint8Array {
    const { bytes, filled, retired } = this.#current
    if (!retired && bytes.byteLength - filled >= LEAST) return bytes.subarray(filled)
    const slot = this.#free.shift() ?? { ...slotOf(Buffer.allocUnsafeSlow(FIRST)), retired: true }
    slot.filled = 0
    slot.taken = 0
    this.#queue.push(slot)
    this.#current = slot
    return slot.bytes
  }

  #read(size: number): boolean {
    this.#current.filled += size
    this.#waiting?.resolve()
    this.#waiting = undefined
    // What comes although it was told to stop does not start it again.
    this.#reading &&= this.#hasRoom()
    return this.#reading
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#waiting?.resolve()
    this.#waiting = undefined
  }
}

function slotOf(bytes: Buffer): Slot {
  return { bytes, filled: 0, taken: 0, retired: false }
}

function reset(message: string): Error {
  return Object.assign(new Error(message), { code: 'ECONNRESET' })
}

function timedOut(): Error {
  return Object.assign(new Error('nothing came for too long'), { code: 'ETIMEDOUT' })
}
