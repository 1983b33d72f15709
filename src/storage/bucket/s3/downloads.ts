import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { AbortOptions } from '../../object-store.ts'
import type { Opened } from '../bucket.ts'
import { Connection, type Server } from './connection.ts'
import type { Settled } from './options.ts'

/** Seconds that the signature of a request is good for, which is sent at once. */
const SIGNED_FOR = 900
/** A connection that nobody uses for so long is closed, before the server does it. In milliseconds. */
const REST = 3_000
const RESTING = 64
/** Bytes of a head at most. */
const HEAD = 64 * 1024
/** Memory of a reader, each two pieces: of one that has not shown yet that it takes chunks promptly, or found too many others that do; and of those. */
const SMALL = 32 * 1024
const LARGE = 512 * 1024
/** A chunk that comes back later was for a slow reader, in milliseconds. */
const PROMPT = 100
const FAST_READERS = 16

export interface DownloadOptions extends AbortOptions {
  /** Of the request. */
  readonly headers: Readonly<Record<string, string>>
  readonly prompt?: boolean | undefined
}

/**
 * The way of large objects out of a bucket: a quarter of the work that it would be by the SDK, which signs the requests.
 * For good answers alone: of all others it is asked again, and knows what they mean.
 */
export class Downloads {
  readonly #client: S3Client
  readonly #options: Settled
  readonly #resting: { readonly connection: Connection; readonly server: string; readonly timer: NodeJS.Timeout }[] = []
  #fastReaders = 0

  constructor(client: S3Client, options: Settled) {
    this.#client = client
    this.#options = options
  }

  /** Undefined: it was not answered by the bytes. @throws Error when nobody answers */
  async open(key: string, { headers, prompt = false, signal }: DownloadOptions): Promise<Opened | undefined> {
    const url = new URL(await getSignedUrl(this.#client, new GetObjectCommand({ Bucket: this.#options.bucket, Key: key }), { expiresIn: SIGNED_FOR }))
    const tls = url.protocol === 'https:'
    const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port)
    const server: Server = { host: url.hostname.replace(/^\[|\]$/g, ''), port, tls, verify: this.#options.skipVerify !== true }
    const lines = Object.entries({ Host: url.host, 'User-Agent': this.#options.userAgent ?? 'disco', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
    const request = `GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('')}\r\n`
    for (;;) {
      signal?.throwIfAborted()
      const rested = this.#take(url.host)
      const connection = rested ?? (await Connection.open(server))
      const abort = (): void => connection.destroy()
      signal?.addEventListener('abort', abort, { once: true })
      try {
        connection.send(request)
        const head = await headOf(connection)
        if (head === undefined || !head.isGood) {
          connection.destroy()
          return undefined
        }
        return this.#download(connection, url.host, head, prompt)
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

  #download(connection: Connection, server: string, { length, etag, rest, keep }: Head, prompt: boolean): Opened {
    return { length, etag, chunks: () => this.#chunks(connection, server, length, rest, keep, prompt), destroy: () => connection.destroy() }
  }

  async *#chunks(connection: Connection, server: string, length: number, rest: Buffer, keep: boolean, wasPrompt: boolean): AsyncGenerator<Uint8Array, void, void> {
    let left = length
    let fast: readonly Buffer[] | undefined
    const small = [Buffer.allocUnsafeSlow(SMALL), Buffer.allocUnsafeSlow(SMALL)]
    connection.use(small)
    let prompt = wasPrompt
    try {
      for (let chunk = rest; ; chunk = await connection.next()) {
        if (prompt && fast === undefined && left > LARGE && this.#fastReaders < FAST_READERS) {
          this.#fastReaders++
          fast = [Buffer.allocUnsafeSlow(LARGE), Buffer.allocUnsafeSlow(LARGE)]
          connection.use(fast)
        } else if (!prompt && fast !== undefined) {
          this.#fastReaders--
          fast = undefined
          connection.use(small)
        }
        if (chunk.byteLength > left) throw new Error('more came than was announced')
        left -= chunk.byteLength
        if (chunk.byteLength > 0) {
          const given = performance.now()
          yield chunk
          prompt = performance.now() - given < PROMPT
        }
        if (left === 0) break
      }
    } finally {
      if (fast !== undefined) this.#fastReaders--
      if (left === 0 && keep) this.#rest(connection, server)
      else connection.destroy()
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

interface Head {
  readonly isGood: boolean
  readonly length: number
  readonly etag: string
  /** Whether the connection can be used again. */
  readonly keep: boolean
  /** What came of the body with it. */
  readonly rest: Buffer
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
  const length = headers.get('content-length')
  const isWhole = length !== undefined && /^\d+$/.test(length) && !headers.has('transfer-encoding') && !headers.has('content-encoding')
  return {
    isGood: /^HTTP\/1\.1 20[06]\b/.test(status) && isWhole,
    length: Number(length),
    etag: headers.get('etag') ?? '',
    keep: headers.get('connection')?.toLowerCase() !== 'close',
    rest: come.subarray(end + 4),
  }
}
