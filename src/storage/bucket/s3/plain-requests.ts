import type { S3Client } from '@aws-sdk/client-s3'
import type { AbortOptions } from '../../object-store.ts'
import { Connection, type Server } from './connection.ts'
import type { Settled } from './options.ts'
import { SignedUrls, type ReadMethod } from './signed-urls.ts'

/** Seconds that the signature of a request is good for, which is sent at once. */
const SIGNED_FOR = 900
/** A connection that nobody uses for so long is closed, before the server does it. In milliseconds. */
const REST = 3_000
const RESTING = 64
/** Bytes of a head at most. */
const HEAD = 64 * 1024

export interface PlainOptions extends AbortOptions {
  /** Of the request. */
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer whose head has come. */
export interface PlainAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  /** Bytes of the body; undefined where the head does not say it, or they are not what was stored. */
  readonly length: number | undefined
  /** What came of the body with the head. */
  readonly rest: Buffer
  readonly connection: Connection
  /** The body has come, and nothing else: another may use the connection. */
  done(): void
}

/** Reads from a bucket with as little work as can be: signed URLs, asked for over connections of ours, a fifth of what the SDK needs. */
export class PlainRequests {
  readonly urls: SignedUrls
  readonly #options: Settled
  readonly #resting: { readonly connection: Connection; readonly server: string; readonly timer: NodeJS.Timeout }[] = []

  constructor(client: S3Client, options: Settled) {
    this.#options = options
    this.urls = new SignedUrls(client, options.bucket)
  }

  /** Undefined: what came can't be understood. Who gets an answer ends it, by `done` or its connection. @throws Error when nobody answers */
  async ask(method: ReadMethod, key: string, { headers = {}, signal }: PlainOptions): Promise<PlainAnswer | undefined> {
    const url = new URL(await this.urls.of(method, key, SIGNED_FOR))
    const tls = url.protocol === 'https:'
    const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port)
    const server: Server = { host: url.hostname.replace(/^\[|\]$/g, ''), port, tls, verify: this.#options.skipVerify !== true }
    const lines = Object.entries({ Host: url.host, 'User-Agent': this.#options.userAgent ?? 'disco', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
    const request = `${method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('')}\r\n`
    for (;;) {
      signal?.throwIfAborted()
      const rested = this.#take(url.host)
      const connection = rested ?? (await Connection.open(server))
      const abort = (): void => connection.destroy()
      signal?.addEventListener('abort', abort, { once: true })
      try {
        connection.send(request)
        const head = await headOf(connection)
        if (head !== undefined) return { ...head, connection, done: () => (head.keep ? this.#rest(connection, url.host) : connection.destroy()) }
        connection.destroy()
        return undefined
      } catch (error) {
        connection.destroy()
        signal?.throwIfAborted()
        // It was closed while it rested.
        if (rested === undefined) throw error
      } finally {
        signal?.removeEventListener('abort', abort)
      }
    }
  }

  close(): void {
    for (const { connection, timer } of this.#resting.splice(0)) {
      clearTimeout(timer)
      connection.destroy()
    }
  }

  #take(server: string): Connection | undefined {
    for (let index = this.#resting.length - 1; index >= 0; index--) {
      const resting = this.#resting[index]
      if (resting?.server !== server) continue
      this.#resting.splice(index, 1)
      clearTimeout(resting.timer)
      if (!resting.connection.usable) {
        resting.connection.destroy()
        continue
      }
      resting.connection.wake()
      return resting.connection
    }
    return undefined
  }

  #rest(connection: Connection, server: string): void {
    connection.useOwn()
    connection.rest()
    const timer = setTimeout(() => {
      connection.destroy()
      const index = this.#resting.findIndex((each) => each.connection === connection)
      if (index >= 0) this.#resting.splice(index, 1)
    }, REST).unref()
    this.#resting.push({ connection, server, timer })
    if (this.#resting.length <= RESTING) return
    const oldest = this.#resting.shift()
    clearTimeout(oldest?.timer)
    oldest?.connection.destroy()
  }
}

interface Head extends Pick<PlainAnswer, 'status' | 'headers' | 'length' | 'rest'> {
  /** Whether the connection can be used again. */
  readonly keep: boolean
}

/** Undefined: it is no answer that could be understood. */
async function headOf(connection: Connection): Promise<Head | undefined> {
  let come = Buffer.alloc(0)
  let end = -1
  while (end === -1) {
    come = Buffer.concat([come, await connection.next()])
    end = come.indexOf('\r\n\r\n')
    if (end === -1 && come.byteLength > HEAD) return undefined
  }
  const [status = '', ...lines] = come.toString('latin1', 0, end).split('\r\n')
  const headers = new Map(lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  }))
  const number = /^HTTP\/1\.1 (\d{3})\b/.exec(status)?.[1]
  if (number === undefined) return undefined
  const length = headers.get('content-length')
  const isWhole = length !== undefined && /^\d+$/.test(length) && !headers.has('transfer-encoding') && !headers.has('content-encoding')
  return {
    status: Number(number),
    headers,
    length: isWhole ? Number(length) : undefined,
    keep: headers.get('connection')?.toLowerCase() !== 'close',
    rest: come.subarray(end + 4),
  }
}
