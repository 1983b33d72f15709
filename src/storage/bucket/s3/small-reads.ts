import type { AbortOptions } from '../../object-store.ts'
import type { Found, Small } from '../bucket.ts'
import type { PlainAnswer, PlainRequests } from './plain-requests.ts'

/** Bytes that are taken into memory at most; the rest is for the SDK. */
const MOST = 8 * 1024 * 1024
/** A code of S3's that proves that there is no such object. */
const ABSENT = '<Code>NoSuchKey</Code>'

/** Heads of objects, and small ones: most of what a registry asks a bucket for. Of answers that mean anything else the SDK is asked again. */
export class SmallReads {
  readonly #requests: PlainRequests

  constructor(requests: PlainRequests) {
    this.#requests = requests
  }

  /** Undefined: it has to be asked in another way; `bare`: it is not there, or its bucket is not. @throws Error when nobody answers */
  async head(key: string, options: AbortOptions): Promise<Found | 'bare' | undefined> {
    const answer = await this.#requests.ask('HEAD', key, options)
    if (answer === undefined) return undefined
    const { status, length, rest, connection } = answer
    if (rest.byteLength > 0 || (status !== 200 && status !== 404)) {
      connection.destroy()
      return undefined
    }
    answer.done()
    if (status === 404) return 'bare'
    return length === undefined ? undefined : { size: length, ...told(answer) }
  }

  /** As `head`; `absent`: there is no such object. */
  async get(key: string, { signal }: AbortOptions): Promise<Small | 'absent' | undefined> {
    const answer = await this.#requests.ask('GET', key, { signal })
    if (answer === undefined) return undefined
    const { status, length, headers, connection } = answer
    if (length === undefined || length > MOST || (status !== 200 && status !== 404)) {
      connection.destroy()
      return undefined
    }
    const data = await bodyOf(answer, length, signal)
    if (status === 404) return Buffer.from(data).includes(ABSENT) ? 'absent' : undefined
    const found = told(answer)
    const now = Date.parse(headers.get('date') ?? '')
    return { data, size: length, ...found, age: (Number.isNaN(now) ? Date.now() : now) - found.modifiedAt }
  }
}

async function bodyOf({ connection, rest, done }: PlainAnswer, length: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const abort = (): void => connection.destroy()
  signal?.addEventListener('abort', abort, { once: true })
  try {
    const data = new Uint8Array(length)
    let filled = 0
    for (let chunk = rest; ; chunk = await connection.next()) {
      if (filled + chunk.byteLength > length) throw new Error('more came than was announced')
      data.set(chunk, filled)
      filled += chunk.byteLength
      if (filled === length) break
    }
    done()
    return data
  } catch (error) {
    connection.destroy()
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

function told({ headers }: PlainAnswer): Pick<Found, 'modifiedAt' | 'etag'> {
  const modifiedAt = Date.parse(headers.get('last-modified') ?? '')
  return { modifiedAt: Number.isNaN(modifiedAt) ? 0 : modifiedAt, etag: headers.get('etag') ?? '' }
}
