import { chunksOf } from '../silence.ts'
import type { Opened } from '../bucket.ts'
import { startIn } from '../content-range.ts'
import type { GcsAuth } from './sdk.ts'

/** Most bytes of one that are of use. */
const EXPLANATION = 8 * 1024

/** What an answer says that is none with the bytes. */
class AnswerError extends Error {
  override readonly name = 'AnswerError'
  /** HTTP's status, where the client's own errors have it. */
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export interface ReadOptions {
  readonly range?: string | undefined
  readonly generation?: string | undefined
  readonly signal: AbortSignal
}

export interface GcsAnswer extends Opened {
  /** In milliseconds since the epoch. */
  readonly modifiedAt: number
  /** Milliseconds since it was written, by the server's clock alone. */
  readonly age: number
}

/**
 * The way of bytes out of a bucket, let in by what the client gives: its own streams cost three copies, and Node warns of
 * the listeners of each.
 */
export class GcsReads {
  readonly #auth: GcsAuth
  readonly #bucket: string
  readonly #agent: Readonly<Record<string, string>>

  /** @param bucket URL of its objects */
  constructor(auth: GcsAuth, bucket: string, userAgent: string) {
    this.#auth = auth
    this.#bucket = bucket
    this.#agent = { 'accept-encoding': 'identity', 'user-agent': userAgent }
  }

  /** @param signal until the answer has begun; from then on it is destroyed */
  async open(name: string, { range, generation, signal }: ReadOptions): Promise<GcsAnswer> {
    const url = `${this.#bucket}/${encodeURIComponent(name)}?alt=media${generation === undefined ? '' : `&generation=${generation}`}`
    const controller = new AbortController()
    const abort = (): void => controller.abort(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    try {
      const headers = new Headers({ ...this.#agent, ...(range === undefined ? {} : { range }) })
      for (const [key, value] of await this.#auth(url)) headers.set(key, value)
      signal.throwIfAborted()
      const answer = await fetch(url, { headers, signal: controller.signal })
      if (answer.status !== 200 && answer.status !== 206) throw new AnswerError(answer.status, await explanationIn(answer))
      return opened(answer, (error) => controller.abort(error))
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }
}

/** What an answer that is an error begins with. */
async function explanationIn({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  // Leaving the loop ends the answer.
  for await (const chunk of body ?? []) {
    chunks.push(chunk)
    size += chunk.byteLength
    if (size >= EXPLANATION) break
  }
  return Buffer.concat(chunks).subarray(0, EXPLANATION).toString()
}

function opened({ headers, body }: Response, cut: (error?: Error) => void): GcsAnswer {
  const header = (name: string): string => headers.get(name) ?? ''
  const modifiedAt = Date.parse(header('last-modified'))
  const now = Date.parse(header('date'))
  const length = header('content-length')
  const source: AsyncIterable<Uint8Array> = body ?? (async function* () {})()
  return {
    start: startIn(headers.get('content-range')),
    length: length === '' ? Infinity : Number(length),
    etag: header('x-goog-generation'),
    modifiedAt,
    age: (Number.isNaN(now) ? Date.now() : now) - modifiedAt,
    chunks: () => chunksOf(source, cut),
    destroy: () => cut(),
  }
}
