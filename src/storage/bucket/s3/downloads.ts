import type { AbortOptions } from '../../object-store.ts'
import type { Opened } from '../bucket.ts'
import { startIn } from '../content-range.ts'
import type { PlainAnswer, PlainRequests } from './plain-requests.ts'

/** Memory of a reader, each two pieces: of one that has not shown yet that it takes chunks promptly, or found too many others that do; and of those. */
const SMALL = 32 * 1024
const LARGE = 1024 * 1024
/** A chunk that comes back later was for a slow reader, in milliseconds. */
const PROMPT = 100
const FAST_READERS = 16

export interface DownloadOptions extends AbortOptions {
  /** Of the request. */
  readonly headers: Readonly<Record<string, string>>
  readonly prompt?: boolean | undefined
}

/** The way of large objects out of a bucket: a quarter of the work that it would be by the SDK, which is asked again where the answer is not a good one. */
export class Downloads {
  readonly #requests: PlainRequests
  #fastReaders = 0

  constructor(requests: PlainRequests) {
    this.#requests = requests
  }

  /** Undefined: it was not answered by the bytes. @throws Error when nobody answers */
  async open(key: string, { headers, prompt = false, signal }: DownloadOptions): Promise<Opened | undefined> {
    const answer = await this.#requests.ask('GET', key, { headers, signal })
    if (answer === undefined) return undefined
    const { status, length, connection } = answer
    if ((status !== 200 && status !== 206) || length === undefined) {
      connection.destroy()
      return undefined
    }
    return { start: startIn(answer.headers.get('content-range')), length, etag: answer.headers.get('etag') ?? '', chunks: () => this.#chunks(answer, length, prompt), destroy: () => connection.destroy() }
  }

  async *#chunks({ connection, rest, done }: PlainAnswer, length: number, wasPrompt: boolean): AsyncGenerator<Uint8Array, void, void> {
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
      if (left === 0) done()
      else connection.destroy()
    }
  }
}
