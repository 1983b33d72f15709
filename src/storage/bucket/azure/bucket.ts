import { hash, createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { StorageFailedError } from '../../errors.ts'
import type { AbortOptions } from '../../object-store.ts'
import { inParallel } from '../../parallel.ts'
import { PAGE, type Bucket, type Found, type Opened, type OpenOptions, type Page, type PageOptions, type Piece, type PieceSizes, type Small } from '../bucket.ts'
import { startIn } from '../content-range.ts'
import { retried, type Faults } from '../retries.ts'
import { chunksOf, collected, patienceFor, withinTime } from '../silence.ts'
import { compose } from './composition.ts'
import { AZURE_FAULTS, isAbsent, isBeyondEnd, isOtherKind, isUnlikeExpected } from './failures.ts'
import { pageOf } from './listing.ts'
import { HEADERS, etagOf, foundOf } from './properties.ts'
import type { AzureBlob, AzureContainer } from './sdk.ts'
import type { AzureSignatures } from './signatures.ts'

const MIB = 1024 * 1024
/** Requests to delete at a time. */
const AT_ONCE = 16
const nothing = (): boolean => false

/** A container of Azure's Blob Storage, whose objects are block blobs. */
export class AzureBucket implements Bucket {
  readonly name: string
  readonly faults: Faults = AZURE_FAULTS
  /** Azure's limit: blocks of one blob. A small piece costs a request more each time it is read. */
  readonly pieces: PieceSizes = { size: 10 * MIB, least: MIB, most: 50_000 }
  readonly noEtag = '"0x000000000000000"'
  readonly signatures: AzureSignatures
  readonly #container: AzureContainer
  readonly #root: string

  constructor(name: string, container: AzureContainer, signatures: AzureSignatures, rootDirectory: string) {
    this.name = name
    this.signatures = signatures
    this.#container = container
    this.#root = rootDirectory === '' ? '' : `${rootDirectory}/`
  }

  /** Its connections are all clients'; those that rest close by themselves. */
  close(): void {}

  blob(path: string): AzureBlob {
    return this.#container.getBlockBlobClient(`${this.#root}${path}`)
  }

  async head(path: string, { signal }: AbortOptions = {}): Promise<Found | undefined> {
    try {
      return foundOf(await this.#asking(`HEAD ${path}`, signal, isAbsent, (abortSignal) => this.blob(path).getProperties({ abortSignal })))
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }

  async get(path: string, { signal }: AbortOptions = {}): Promise<Small | undefined> {
    try {
      return await retried(this.faults, `GET ${path}`, { signal, answers: isAbsent }, async () => {
        const answer = await withinTime(signal, (abortSignal) => this.blob(path).download(0, undefined, { abortSignal, maxRetryRequests: 0 }))
        const { chunks, destroy } = bodyOf(path, answer.readableStreamBody)
        const data = await collected(chunks(), destroy, signal)
        const found = foundOf(answer)
        return { ...found, data, size: data.byteLength, age: (answer.date?.getTime() ?? Date.now()) - found.modifiedAt }
      })
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }

  async open(path: string, { start, end, etag, signal }: OpenOptions): Promise<Opened | undefined | 'end' | 'changed'> {
    const conditions = etag === undefined ? {} : { ifMatch: etag }
    const answers = (error: unknown): boolean => isAbsent(error) || isBeyondEnd(error) || isUnlikeExpected(error)
    try {
      return await this.#asking(`GET ${path}`, signal, answers, async (abortSignal) => {
        const answer = await this.blob(path).download(start, end === Infinity ? undefined : end - start, { abortSignal, conditions, maxRetryRequests: 0 })
        const { size: length, etag: found } = foundOf(answer)
        return { start: startIn(answer.contentRange), length, etag: found, ...bodyOf(path, answer.readableStreamBody) }
      })
    } catch (error) {
      if (isAbsent(error)) return undefined
      if (isBeyondEnd(error)) return 'end'
      if (isUnlikeExpected(error)) return 'changed'
      throw error
    }
  }

  async put(path: string, data: Uint8Array, options: AbortOptions = {}): Promise<string> {
    return this.putPieces(path, [data], options)
  }

  async putPieces(path: string, pieces: readonly Uint8Array[], { signal }: AbortOptions = {}): Promise<string> {
    return this.#replacing(path, signal, () => this.#upload(path, pieces, {}, signal, isOtherKind))
  }

  async putIf(path: string, data: Uint8Array, etag: string | undefined, { signal }: AbortOptions = {}): Promise<string | undefined> {
    const answers = (error: unknown): boolean => isUnlikeExpected(error) || isAbsent(error)
    try {
      return await this.#upload(path, [data], etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag }, signal, answers)
    } catch (error) {
      if (answers(error)) return undefined
      throw error
    }
  }

  compose(pieces: readonly Piece[], to: string, { signal }: AbortOptions = {}): Promise<string> {
    return this.#replacing(to, signal, () => compose(this, pieces, to, { signal }))
  }

  async page(prefix: string, { delimiter, after, next, limit = PAGE, signal }: PageOptions = {}): Promise<Page> {
    const asked = {
      prefix: `${this.#root}${prefix}`, delimiter, next, limit: Math.min(limit, PAGE), after: after === undefined ? undefined : `${this.#root}${after}`,
    }
    const { objects, prefixes, next: following } = await this.#asking(`a list of ${prefix}`, signal, nothing, (abortSignal) => pageOf(this.#container, asked, abortSignal))
    const pathOf = (name: string): string => name.slice(this.#root.length)
    return { objects: objects.map((object) => ({ ...object, path: pathOf(object.path) })), prefixes: prefixes.map(pathOf), next: following }
  }

  async delete(paths: readonly string[], { signal }: AbortOptions = {}): Promise<void> {
    await inParallel(paths, AT_ONCE, (path) =>
      this.#asking(`DELETE ${path}`, signal, nothing, (abortSignal) => this.blob(path).deleteIfExists({ abortSignal, deleteSnapshots: 'include' })))
  }

  /** Azure signs for reading, by whichever of the two. */
  presigned(path: string, _method: 'GET' | 'HEAD', seconds: number): Promise<string | undefined> {
    return this.signatures.url(this.blob(path), seconds)
  }

  /** Azure gives up blocks itself that are in no blob after a week. */
  async tidy(): Promise<void> {}

  #upload(path: string, pieces: readonly Uint8Array[], conditions: object, signal: AbortSignal | undefined, answers: (error: unknown) => boolean): Promise<string> {
    const [first = new Uint8Array(), ...rest] = pieces
    const size = pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
    const body = rest.length === 0 ? first : () => Readable.from(pieces, { objectMode: false })
    const transactionalContentMD5 = md5Of(pieces)
    return this.#asking(`PUT ${path}`, signal, answers, async (abortSignal) =>
      etagOf(await this.blob(path).upload(body, size, { abortSignal, conditions, transactionalContentMD5, ...HEADERS })), patienceFor(size))
  }

  /** "Azure cannot atomically replace an existing AppendBlob with a BlockBlob", and Distribution has made some. */
  async #replacing(path: string, signal: AbortSignal | undefined, work: () => Promise<string>): Promise<string> {
    try {
      return await work()
    } catch (error) {
      if (!isOtherKind(error)) throw error
      await this.delete([path], { signal })
      return work()
    }
  }

  #asking<T>(what: string, signal: AbortSignal | undefined, answers: (error: unknown) => boolean, request: (signal: AbortSignal) => Promise<T>, patience?: number): Promise<T> {
    return retried(this.faults, what, { signal, answers }, () => withinTime(signal, request, patience))
  }
}

function md5Of(pieces: readonly Uint8Array[]): Uint8Array {
  const [only = new Uint8Array(), ...rest] = pieces
  if (rest.length === 0) return hash('md5', only, 'buffer')
  const hashing = createHash('md5')
  for (const piece of pieces) hashing.update(piece)
  return hashing.digest()
}

function bodyOf(path: string, body: Readable | undefined): Pick<Opened, 'chunks' | 'destroy'> {
  if (body === undefined) throw new StorageFailedError(`the container gave no body for ${path}`)
  // What is destroyed fails once more, heard by nobody.
  body.on('error', () => {})
  return { chunks: () => chunksOf(body, (error) => body.destroy(error)), destroy: () => void body.destroy() }
}
