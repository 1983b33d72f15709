import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { AbortOptions } from '../../object-store.ts'
import { inParallel } from '../../parallel.ts'
import { PAGE, type Bucket, type Found, type Opened, type OpenOptions, type Page, type PageOptions, type Piece, type PieceSizes, type Small } from '../bucket.ts'
import { retried, type Faults } from '../retries.ts'
import { collected, patienceFor, withinTime } from '../silence.ts'
import { compose } from './composition.ts'
import { GCS_FAULTS, isAbsence, isAbsent, isBeyondEnd, isUnlikeExpected } from './failures.ts'
import type { SettledGcs } from './options.ts'
import type { GcsReads } from './reads.ts'
import type { GcsBucketClient, GcsFile, GcsMetadata, GcsQuery } from './sdk.ts'

const MIB = 1024 * 1024
/** Requests to delete at a time. */
const AT_ONCE = 16
const FIELDS = 'items(name,size,updated,generation),prefixes,nextPageToken'
const nothing = (): boolean => false

/** A bucket of Google's Cloud Storage. What others call an object's etag is its generation. */
export class GcsBucket implements Bucket {
  readonly name: string
  readonly faults: Faults = GCS_FAULTS
  readonly pieces: PieceSizes
  readonly noEtag = '1'
  readonly #client: GcsBucketClient
  readonly #reads: GcsReads
  readonly #root: string
  readonly #signs: boolean

  /** @param signs whether the client has a key */
  constructor(client: GcsBucketClient, reads: GcsReads, { bucket, rootDirectory, chunkSize }: SettledGcs, signs: boolean) {
    this.name = bucket
    // Objects may be composed of any number of others, of any size. A small piece costs a request more each time it is read.
    this.pieces = { size: chunkSize, least: Math.min(MIB, chunkSize), most: 32 ** 3 }
    this.#client = client
    this.#reads = reads
    this.#root = rootDirectory === '' ? '' : `${rootDirectory}/`
    this.#signs = signs
  }

  /** Its connections are all clients'; those that rest close by themselves. */
  close(): void {}

  file(path: string): GcsFile {
    return this.#client.file(this.#name(path))
  }

  async head(path: string, { signal }: AbortOptions = {}): Promise<Found | undefined> {
    try {
      return await this.#asking(`HEAD ${path}`, signal, isAbsence, async () => foundOf((await this.file(path).getMetadata())[0]))
    } catch (error) {
      return this.#absent(path, error, signal)
    }
  }

  async get(path: string, { signal }: AbortOptions = {}): Promise<Small | undefined> {
    try {
      return await retried(this.faults, `GET ${path}`, { signal, answers: isAbsence }, async () => {
        const { chunks, destroy, etag, modifiedAt, age } = await withinTime(signal, (aborting) => this.#reads.open(this.#name(path), { signal: aborting }))
        const data = await collected(chunks(), destroy, signal)
        return { data, size: data.byteLength, modifiedAt, etag, age }
      })
    } catch (error) {
      return this.#absent(path, error, signal)
    }
  }

  async open(path: string, { start, end, etag, signal }: OpenOptions): Promise<Opened | undefined | 'end' | 'changed'> {
    const range = start === 0 && end === Infinity ? undefined : `bytes=${start}-${end === Infinity ? '' : end - 1}`
    const answers = (error: unknown): boolean => isAbsence(error) || isBeyondEnd(error)
    try {
      return await this.#asking(`GET ${path}`, signal, answers, (aborting) => this.#reads.open(this.#name(path), { range, generation: etag, signal: aborting }))
    } catch (error) {
      if (isBeyondEnd(error)) return 'end'
      if (!isAbsence(error)) throw error
      // A generation that is gone is no object, whatever has taken its place.
      const there = etag === undefined ? await this.#absent(path, error, signal) : await this.head(path, { signal })
      return there === undefined ? undefined : 'changed'
    }
  }

  put(path: string, data: Uint8Array, options: AbortOptions = {}): Promise<string> {
    return this.putPieces(path, [data], options)
  }

  putPieces(path: string, pieces: readonly Uint8Array[], { signal }: AbortOptions = {}): Promise<string> {
    return this.#write(path, pieces, undefined, signal, nothing)
  }

  async putIf(path: string, data: Uint8Array, etag: string | undefined, { signal }: AbortOptions = {}): Promise<string | undefined> {
    try {
      return await this.#write(path, [data], etag ?? 0, signal, isUnlikeExpected)
    } catch (error) {
      if (isUnlikeExpected(error)) return undefined
      throw error
    }
  }

  compose(pieces: readonly Piece[], to: string, { signal }: AbortOptions = {}): Promise<string> {
    return compose(this, pieces, to, { signal })
  }

  /** Makes one object of up to 32. */
  combine(from: readonly string[], to: string, { signal }: AbortOptions = {}): Promise<string> {
    return this.#asking(`parts of ${to}`, signal, nothing, async () => {
      const [, { generation }] = await this.#client.combine(from.map((path) => this.file(path)), this.file(to))
      return String(generation)
    }, patienceFor(from.length * this.pieces.size))
  }

  async page(prefix: string, { delimiter, after, next, limit = PAGE, signal }: PageOptions = {}): Promise<Page> {
    const inside = after !== undefined && delimiter !== undefined && after.endsWith(delimiter)
    const start = after === undefined ? undefined : inside ? `${after.slice(0, -1)}0` : after
    let pageToken = next
    for (;;) {
      const query: GcsQuery = {
        autoPaginate: false, fields: FIELDS, prefix: `${this.#root}${prefix}`, maxResults: Math.min(limit, PAGE),
        ...(delimiter === undefined ? {} : { delimiter }),
        ...(start === undefined ? {} : { startOffset: `${this.#root}${start}` }),
        ...(pageToken === undefined ? {} : { pageToken }),
      }
      const [, , { items = [], prefixes = [], nextPageToken }] = await this.#asking(`a list of ${prefix}`, signal, nothing, () => this.#client.getFiles(query))
      const objects = items.map((item) => ({ ...foundOf(item), path: item.name.slice(this.#root.length) })).filter(({ path }) => path !== after)
      const directories = prefixes.map((name) => name.slice(this.#root.length)).filter((path) => path !== after)
      pageToken = nextPageToken === '' ? undefined : nextPageToken
      if (objects.length > 0 || directories.length > 0 || pageToken === undefined) return { objects, prefixes: directories, next: pageToken }
    }
  }

  async delete(paths: readonly string[], { signal }: AbortOptions = {}): Promise<void> {
    await inParallel(paths, AT_ONCE, (path) => this.#asking(`DELETE ${path}`, signal, nothing, () => this.file(path).delete({ ignoreNotFound: true })))
  }

  /** What is signed for GET is not for HEAD. */
  async presigned(path: string, method: 'GET' | 'HEAD', seconds: number): Promise<string | undefined> {
    if (!this.#signs || method !== 'GET') return undefined
    const [url] = await this.file(path).getSignedUrl({ version: 'v4', action: 'read', expires: Date.now() + seconds * 1000 })
    return url
  }

  /** What a composition leaves is among the pieces. */
  async tidy(): Promise<void> {}

  #name(path: string): string {
    return `${this.#root}${path}`
  }

  #write(path: string, pieces: readonly Uint8Array[], generation: string | number | undefined, signal: AbortSignal | undefined, answers: (error: unknown) => boolean): Promise<string> {
    const size = pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
    const hashing = createHash('md5')
    for (const piece of pieces) hashing.update(piece)
    const metadata = { md5Hash: hashing.digest('base64') }
    return this.#asking(`PUT ${path}`, signal, answers, async (aborting) => {
      const file = this.file(path)
      const writing = file.createWriteStream({
        resumable: false, validation: false, contentType: 'application/octet-stream', metadata, ...(generation === undefined ? {} : { preconditionOpts: { ifGenerationMatch: generation } }),
      })
      await pipeline(Readable.from(pieces, { objectMode: false }), writing, { signal: aborting })
      return String(file.metadata.generation)
    }, patienceFor(size))
  }

  /** Undefined, where it is proven that there is none. */
  async #absent(path: string, error: unknown, signal: AbortSignal | undefined): Promise<undefined> {
    if (!isAbsence(error)) throw error
    // It may be the bucket that is missing: a list of that fails.
    if (!isAbsent(error)) await this.page(path, { limit: 1, signal })
  }

  #asking<T>(what: string, signal: AbortSignal | undefined, answers: (error: unknown) => boolean, request: (signal: AbortSignal) => Promise<T>, patience?: number): Promise<T> {
    return retried(this.faults, what, { signal, answers }, () => withinTime(signal, request, patience))
  }
}

function foundOf({ size = 0, updated = '', generation = '' }: GcsMetadata): Found {
  return { size: Number(size), modifiedAt: Date.parse(updated), etag: String(generation) }
}
