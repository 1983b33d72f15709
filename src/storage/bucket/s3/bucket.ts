import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import {
  CopyObjectCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, PutObjectCommand,
  type CopyObjectCommandInput, type ObjectCannedACL, type S3Client, type ServerSideEncryption, type StorageClass,
} from '@aws-sdk/client-s3'
import { StorageFailedError } from '../../errors.ts'
import type { AbortOptions } from '../../object-store.ts'
import { PAGE, type Bucket, type Found, type Opened, type OpenOptions, type Page, type PageOptions, type Piece, type PieceSizes, type Small } from '../bucket.ts'
import { startIn } from '../content-range.ts'
import { lastOf } from '../listing.ts'
import type { Faults } from '../retries.ts'
import { makeClient, SERVER_TIME } from './client.ts'
import { abortParts, compose } from './composition.ts'
import { Downloads } from './downloads.ts'
import { S3_FAULTS, isAbsent, isBareAbsence, isBeyondEnd, isUnlikeExpected } from './failures.ts'
import { MAX_PARTS, MIN_PART, settle, type S3Options, type Settled } from './options.ts'
import { PlainRequests } from './plain-requests.ts'
import { withRetries } from './sending.ts'
import { SmallReads } from './small-reads.ts'

/** What an object gets where nothing is said; servers that know no classes understand nothing else. */
const DEFAULT_ACL = 'private'
const DEFAULT_CLASSES: ReadonlySet<string> = new Set(['NONE', 'STANDARD'])
const nothing = (): boolean => false

/** A bucket of a server that speaks S3. */
export class S3Bucket implements Bucket {
  readonly client: S3Client
  readonly options: Settled
  readonly name: string
  readonly faults: Faults = S3_FAULTS
  readonly pieces: PieceSizes
  readonly noEtag = '"00000000000000000000000000000000"'
  readonly #root: string
  readonly #requests: PlainRequests
  readonly #downloads: Downloads
  readonly #small: SmallReads

  constructor(client: S3Client, options: Settled) {
    this.client = client
    this.#requests = new PlainRequests(client, options)
    this.#downloads = new Downloads(this.#requests)
    this.#small = new SmallReads(this.#requests)
    this.options = options
    this.name = options.bucket
    const { chunkSize, r2 = false } = options
    // R2's parts have to be of one size.
    this.pieces = { size: chunkSize, least: r2 ? chunkSize : MIN_PART, most: MAX_PARTS }
    this.#root = options.rootDirectory === '' ? '' : `${options.rootDirectory}/`
  }

  /** @throws S3OptionsError */
  static of(options: S3Options): S3Bucket {
    const settled = settle(options)
    return new S3Bucket(makeClient(settled), settled)
  }

  close(): void {
    this.#requests.close()
    this.client.destroy()
  }

  key(path: string): string {
    return `${this.#root}${path}`
  }

  /** Of a key. */
  path(key: string): string {
    return key.slice(this.#root.length)
  }

  async head(path: string, { signal }: AbortOptions = {}): Promise<Found | undefined> {
    const input = { Bucket: this.name, Key: this.key(path) }
    const absent = (error: unknown): 'bare' => {
      if (isBareAbsence(error)) return 'bare'
      throw error
    }
    const found = await withRetries(`HEAD ${path}`, signal, isBareAbsence, async (sending) => {
      const told = await this.#small.head(this.key(path), { signal })
      if (told !== undefined) return told
      const { ContentLength = 0, LastModified, ETag = '' } = await this.client.send(new HeadObjectCommand(input), sending)
      return { size: ContentLength, modifiedAt: LastModified?.getTime() ?? 0, etag: ETag }
    }).catch(absent)
    if (typeof found !== 'string') return found
    // A HEAD does not say what is missing: the object, or the bucket.
    return (await this.page(path, { limit: 1, signal })).objects.find((object) => object.path === path)
  }

  async get(path: string, { signal }: AbortOptions = {}): Promise<Small | undefined> {
    const input = { Bucket: this.name, Key: this.key(path) }
    try {
      return await withRetries(`GET ${path}`, signal, isAbsent, async (sending) => {
        const told = await this.#small.get(this.key(path), { signal })
        if (told === 'absent') return undefined
        if (told !== undefined) return told
        const found = await this.client.send(new GetObjectCommand(input), sending)
        const data = await found.Body?.transformToByteArray() ?? new Uint8Array()
        const modifiedAt = found.LastModified?.getTime() ?? 0
        const now = (found as { [SERVER_TIME]?: number })[SERVER_TIME] ?? Date.now()
        return { data, size: data.byteLength, modifiedAt, etag: found.ETag ?? '', age: now - modifiedAt }
      })
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }

  async open(path: string, { start, end, etag, prompt, signal }: OpenOptions): Promise<Opened | undefined | 'end' | 'changed'> {
    const range = start === 0 && end === Infinity ? {} : { Range: `bytes=${start}-${end === Infinity ? '' : end - 1}` }
    const headers = { ...range, ...(etag === undefined ? {} : { 'If-Match': etag }) }
    const input = { Bucket: this.name, Key: this.key(path), ...range, ...(etag === undefined ? {} : { IfMatch: etag }) }
    const answers = (error: unknown): boolean => isAbsent(error) || isBeyondEnd(error) || isUnlikeExpected(error)
    try {
      return await withRetries(`GET ${path}`, signal, answers, async (sending) => {
        const download = await this.#downloads.open(this.key(path), { headers, prompt, signal })
        if (download !== undefined) return download
        const found = await this.client.send(new GetObjectCommand(input), sending)
        const { Body: body, ContentLength = Infinity, ContentRange, ETag = '' } = found
        if (!(body instanceof Readable)) throw new StorageFailedError(`the bucket gave no body for ${path}`)
        return { start: startIn(ContentRange), length: ContentLength, etag: ETag, chunks: () => body.iterator() as AsyncGenerator<Uint8Array, void, void>, destroy: () => void body.destroy() }
      })
    } catch (error) {
      if (isAbsent(error)) return undefined
      if (isBeyondEnd(error)) return 'end'
      if (isUnlikeExpected(error)) return 'changed'
      throw error
    }
  }

  async put(path: string, data: Uint8Array, { signal }: AbortOptions = {}): Promise<string> {
    const input = { ...this.#newObject(path), Body: data }
    const { ETag = '' } = await withRetries(`PUT ${path}`, signal, nothing, (sending) => this.client.send(new PutObjectCommand(input), sending))
    return ETag
  }

  async putPieces(path: string, pieces: readonly Uint8Array[], { signal }: AbortOptions = {}): Promise<string> {
    const [first = new Uint8Array(), ...rest] = pieces
    const size = pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
    const checksum = Buffer.alloc(4)
    checksum.writeUInt32BE(pieces.reduce((sum, piece) => crc32(piece, sum), 0))
    const { ETag = '' } = await withRetries(`PUT ${path}`, signal, nothing, (sending) => this.client.send(new PutObjectCommand({
      ...this.#newObject(path),
      Body: rest.length === 0 ? first : Readable.from(pieces, { objectMode: false }),
      ContentLength: size,
      ChecksumCRC32: checksum.toString('base64'),
    }), sending))
    return ETag
  }

  async putIf(path: string, data: Uint8Array, etag: string | undefined, { signal }: AbortOptions = {}): Promise<string | undefined> {
    const input = { ...this.#newObject(path), Body: data, ...(etag === undefined ? { IfNoneMatch: '*' } : { IfMatch: etag }) }
    const answers = (error: unknown): boolean => isUnlikeExpected(error) || isAbsent(error)
    try {
      return (await withRetries(`PUT ${path}`, signal, answers, (sending) => this.client.send(new PutObjectCommand(input), sending))).ETag ?? ''
    } catch (error) {
      if (answers(error)) return undefined
      throw error
    }
  }

  /** Undefined: there is nothing to be copied. */
  async copy(from: string, to: string, { signal }: AbortOptions = {}): Promise<string | undefined> {
    const input: CopyObjectCommandInput = { ...this.#newObject(to), CopySource: this.source(from), MetadataDirective: 'REPLACE' }
    try {
      const { CopyObjectResult } = await withRetries(`COPY to ${to}`, signal, isAbsent, (sending) => this.client.send(new CopyObjectCommand(input), sending))
      return CopyObjectResult?.ETag ?? ''
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }

  /** What a request to copy names. */
  source(path: string): string {
    return `${this.name}/${encodeURIComponent(this.key(path)).replaceAll('%2F', '/')}`
  }

  compose(pieces: readonly Piece[], to: string, options: AbortOptions = {}): Promise<string> {
    return compose(this, pieces, to, options)
  }

  async page(prefix: string, { delimiter, after, next = after, limit = PAGE, signal }: PageOptions = {}): Promise<Page> {
    const input = {
      Bucket: this.name,
      Prefix: this.key(prefix),
      MaxKeys: Math.min(limit, PAGE),
      // XML has no room for some characters that keys may have.
      EncodingType: 'url' as const,
      ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
      ...(next === undefined ? {} : { StartAfter: this.key(next) }),
    }
    const { Contents = [], CommonPrefixes = [], IsTruncated = false, EncodingType } =
      await withRetries(`a list of ${prefix}`, signal, nothing, (sending) => this.client.send(new ListObjectsV2Command(input), sending))
    const pathOf = (key = ''): string => this.path(EncodingType === 'url' ? decodeURIComponent(key.replaceAll('+', ' ')) : key)
    const page = {
      objects: Contents.map(({ Key, Size = 0, LastModified, ETag = '' }) => ({ path: pathOf(Key), size: Size, modifiedAt: LastModified?.getTime() ?? 0, etag: ETag })),
      prefixes: CommonPrefixes.map(({ Prefix }) => pathOf(Prefix)),
    }
    return { ...page, next: IsTruncated ? lastOf(page) : undefined }
  }

  async delete(paths: readonly string[], { signal }: AbortOptions = {}): Promise<void> {
    if (paths.length === 0) return
    const input = { Bucket: this.name, Delete: { Quiet: true, Objects: paths.map((path) => ({ Key: this.key(path) })) } }
    await withRetries(`DELETE of ${paths.length} objects`, signal, nothing, async (sending) => {
      const { Errors = [] } = await this.client.send(new DeleteObjectsCommand(input), sending)
      const failed = Errors.find(({ Code }) => Code !== 'NoSuchKey')
      if (failed !== undefined) throw Object.assign(new Error(`${failed.Key}: ${failed.Message}`), { name: failed.Code ?? 'Error', Code: failed.Code })
    })
  }

  presigned(path: string, method: 'GET' | 'HEAD', seconds: number): Promise<string> {
    return this.#requests.urls.of(method, this.key(path), seconds)
  }

  tidy(before: number, isOurs: (path: string) => boolean, options: AbortOptions = {}): Promise<void> {
    return abortParts(this, before, isOurs, options)
  }

  /** What objects of ours have in common. */
  newObject(): Pick<CopyObjectCommandInput, 'ContentType' | 'ACL' | 'ServerSideEncryption' | 'SSEKMSKeyId' | 'StorageClass'> {
    const { encrypt = false, keyId, objectAcl, storageClass, r2 = false } = this.options
    return {
      ContentType: 'application/octet-stream',
      ...(objectAcl === undefined || objectAcl === DEFAULT_ACL || r2 ? {} : { ACL: objectAcl as ObjectCannedACL }),
      ...(encrypt ? { ServerSideEncryption: (keyId === undefined ? 'AES256' : 'aws:kms') satisfies ServerSideEncryption } : {}),
      ...(keyId === undefined ? {} : { SSEKMSKeyId: keyId }),
      ...(storageClass === undefined || DEFAULT_CLASSES.has(storageClass) ? {} : { StorageClass: storageClass as StorageClass }),
    }
  }

  #newObject(path: string): { readonly Bucket: string; readonly Key: string } & ReturnType<S3Bucket['newObject']> {
    return { Bucket: this.name, Key: this.key(path), ...this.newObject() }
  }
}
