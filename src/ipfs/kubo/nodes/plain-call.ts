import { connect, type Socket } from 'node:net'
import { MAX_REFUSAL } from './refusal.ts'

/** Takes the next bytes: they are there until it returns, or what it returned resolves. */
export type Take = (bytes: Uint8Array) => Promise<void> | undefined

export interface PlainAnswer {
  /** Of HTTP. */
  readonly status: number
  /** Bytes that were taken. */
  readonly size: number
  /** What it said that was no 200, its beginning. */
  readonly text: string
}

/** Bytes read at once. */
const BUFFER_SIZE = 256 * 1024
const MAX_HEAD = 64 * 1024
const END_OF_HEAD = '\r\n\r\n'

/**
 * A POST by HTTP/1.0, on a connection of its own, whose answer ends by hanging up. Kubo gives bytes 4 KiB at a time, each
 * in a chunk of HTTP/1.1 with two writes; here they are what the system has of them. A GB costs 0.8 s of CPU there and
 * 0.4 here, instead of 1.2 and 1.3. What it does not tell is whether something went wrong in the middle.
 */
export class PlainCall {
  /** Rejects with the reason of `destroy`, and with what `take` threw. */
  readonly answer: Promise<PlainAnswer>
  readonly #socket: Socket
  readonly #take: Take
  #head: Buffer | undefined = Buffer.alloc(0)
  #status = 0
  #size = 0
  #text = ''

  constructor({ hostname, port, host, pathname, search }: URL, headers: Readonly<Record<string, string>>, take: Take) {
    this.#take = take
    const buffer = Buffer.allocUnsafeSlow(BUFFER_SIZE)
    const callback = (length: number): boolean => this.#read(buffer.subarray(0, length))
    // Of an address of IPv6, a URL has the brackets too.
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port === '' ? 80 : port), onread: { buffer, callback } })
    this.#socket = socket
    const lines = Object.entries({ host, ...headers, 'content-length': '0', connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`POST ${pathname}${search} HTTP/1.0\r\n${lines.join('')}\r\n`)
    this.answer = new Promise((resolve, reject) => {
      socket.on('error', reject)
      socket.on('close', () => {
        if (this.#status === 0) reject(Object.assign(new Error('it hung up without an answer'), { code: 'ECONNRESET' }))
        else resolve({ status: this.#status, size: this.#size, text: this.#text })
      })
    })
    // Who destroys it may not have come to wait for it yet.
    this.answer.catch(() => {})
  }

  destroy(reason: unknown): void {
    this.#socket.destroy(reason instanceof Error ? reason : new Error(String(reason)))
  }

  /** @returns whether more is to be read */
  #read(bytes: Buffer): boolean {
    try {
      const body = this.#head === undefined ? bytes : this.#beyondHead(this.#head, bytes)
      if (body.length === 0) return true
      if (this.#status !== 200) {
        if (this.#text.length < MAX_REFUSAL) this.#text += body.toString('utf8', 0, MAX_REFUSAL)
        return true
      }
      this.#size += body.length
      const taken = this.#take(body)
      if (taken === undefined) return true
      taken.then(() => this.#socket.resume(), (error: unknown) => this.destroy(error))
    } catch (error) {
      this.destroy(error)
    }
    return false
  }

  #beyondHead(before: Buffer, bytes: Buffer): Buffer {
    const all = Buffer.concat([before, bytes])
    const end = all.indexOf(END_OF_HEAD)
    if (end === -1 && all.length > MAX_HEAD) throw new Error('what answers does not speak HTTP')
    this.#head = end === -1 ? all : undefined
    if (end === -1) return Buffer.alloc(0)
    const [first = ''] = all.toString('latin1', 0, end).split('\r\n', 1)
    this.#status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? 0)
    if (this.#status === 0) throw new Error('what answers does not speak HTTP')
    return all.subarray(end + END_OF_HEAD.length)
  }
}
