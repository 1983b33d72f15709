import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import {
  CopyObjectCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, PutObjectCommand,
  type CopyObjectCommandInput, type ObjectCannedACL, type S3Client, type ServerSideEncryption, type StorageClass,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { StorageFailedError } from '../errors.ts'
import type { AbortOptions } from '../object-store.ts'
import { SERVER_TIME } from './client.ts'
import { Downloads, type Download } from './downloads.ts'
import { isAbsent, isBareAbsence, isBeyondEnd, isUnlikeExpected } from './failures.ts'
import { keys } from './keys.ts'
import type { Settled } from './options.ts'
import { withRetries } from './retries.ts'

export interface Found {
  /** Bytes. */
  readonly size: number
  /** In milliseconds since the epoch; servers count seconds. */
  readonly modifiedAt: number
  /** Another one for other bytes. */
  readonly etag: string
}

export interface Small extends Found {
  readonly data: Uint8Array
  /** Milliseconds since it was written, by the server's clock alone. */
  readonly age: number
}

/** Bytes from the start of the range on. */
export type Opened = Download

export interface OpenOptions extends AbortOptions {
  readonly start: number
  /** Of the first byte that is not wanted. */
  readonly end: number
  /** What the object has to have, where reading goes on. */
  readonly etag?: string | undefined
  /** Read by who takes them at once. */
  readonly prompt?: boolean | undefined
}

export interface Page {
  readonly objects: readonly (Found & { readonly path: string })[]
  /** With the delimiter at their ends. */
  readonly prefixes: readonly string[]
  readonly more: boolean
}

export interface PageOptions extends AbortOptions {
  readonly delimiter?: '/' | undefined
  readonly after?: string | undefined
  readonly limit?: number | undefined
}

/** Keys in one request to delete, or one answer to list: S3's limits. */
export const PAGE = 1000
/** Of no object. */
const NO_ETAG = '"00000000000000000000000000000000"'
/** What an object gets where nothing is said; servers that know no classes understand nothing else. */
const DEFAULT_ACL = 'private'
const DEFAULT_CLASSES: ReadonlySet<string> = new Set(['NONE', 'STANDARD'])
const nothing = (): boolean => false

/** Everything that is done with a bucket, one request a method, by paths below its root directory. Retried until it is done. */
export class Bucket {
  readonly client: S3Client
  readonly options: Settled
  readonly name: string
  readonly #root: string
  readonly #downloads: Downloads

  constructor(client: S3Client, options: Settled) {
    this.client = client
    this.#downloads = new Downloads(client, options)
    this.options = options
    this.name = options.bucket
    this.#root = options.rootDirectory === '' ? '' : `${options.rootDirectory}/`
  }

  close(): void {
    this.#downloads.close()
    this.client.destroy()
  }

  key(path: string): string {
    return `${this.#root}${path}`
  }

  /** Of a key. */
  path(key: string): string {
    return key.slice(this.#root.length)
  }

  /**
   * Whether it can be used: it is there, may be listed (what is missing is forbidden for who may not), and `writable`: lets
   * us delete, and heeds the conditions of writes, without which several processes could not keep out of each other's way.
   *
   * @throws StorageFailedError
   */
  async check({ writable }: { readonly writable: boolean }): Promise<void> {
    await this.page(keys.conditions, { limit: 1 })
    if (!writable) return
    await this.delete([keys.nothing])
    const data = Buffer.from('{}')
    await this.putIf(keys.conditions, data, undefined)
    const heeded = (await this.putIf(keys.conditions, data, undefined)) === undefined && (await this.putIf(keys.conditions, data, NO_ETAG)) === undefined
    if (!heeded) throw new StorageFailedError(`the server of the bucket ${this.name} does not heed If-Match and If-None-Match of a PUT; Disco needs one that does`)
  }

  async head(path: string, { signal }: AbortOptions = {}): Promise<Found | undefined> {
    const input = { Bucket: this.name, Key: this.key(path) }
    try {
      const found = await withRetries(`HEAD ${path}`, signal, isBareAbsence, (sending) => this.client.send(new HeadObjectCommand(input), sending))
      return { size: found.ContentLength ?? 0, modifiedAt: found.LastModified?.getTime() ?? 0, etag: found.ETag ?? '' }
    } catch (error) {
      if (!isBareAbsence(error)) throw error
      // A HEAD does not say what is missing: the object, or the bucket.
      return (await this.page(path, { limit: 1, signal })).objects.find((object) => object.path === path)
    }
  }

  /** The whole of a small object. */
  async get(path: string, { signal }: AbortOptions = {}): Promise<Small | undefined> {
    const input = { Bucket: this.name, Key: this.key(path) }
    try {
      return await withRetries(`GET ${path}`, signal, isAbsent, async (sending) => {
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

  /** Undefined: there is no such object. `end`: nothing in the range. `changed`: it is no longer the one with the etag. */
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
        const { Body: body, ContentLength = Infinity, ETag = '' } = found
        if (!(body instanceof Readable)) throw new StorageFailedError(`the bucket gave no body for ${path}`)
        return { length: ContentLength, etag: ETag, chunks: () => body.iterator() as AsyncGenerator<Uint8Array, void, void>, destroy: () => void body.destroy() }
      })
    } catch (error) {
      if (isAbsent(error)) return undefined
      if (isBeyondEnd(error)) return 'end'
      if (isUnlikeExpected(error)) return 'changed'
      throw error
    }
  }

  /** The new object's etag. */
  async put(path: string, data: Uint8Array, { signal }: AbortOptions = {}): Promise<string> {
    const input = { ...this.#newObject(path), Body: data }
    const { ETag = '' } = await withRetries(`PUT ${path}`, signal, nothing, (sending) => this.client.send(new PutObjectCommand(input), sending))
    return ETag
  }

  /** Puts what is in pieces of memory. */
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

  /**
   * Puts it if the object has this etag, or if there is none. Undefined: it had not, or an earlier try has done it whose
   * answer was lost.
   */
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

  /** One page of the keys that begin with `prefix`, in S3's order. */
  async page(prefix: string, { delimiter, after, limit = PAGE, signal }: PageOptions = {}): Promise<Page> {
    const input = {
      Bucket: this.name,
      Prefix: this.key(prefix),
      MaxKeys: Math.min(limit, PAGE),
      // XML has no room for some characters that keys may have.
      EncodingType: 'url' as const,
      ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
      ...(after === undefined ? {} : { StartAfter: this.key(after) }),
    }
    const { Contents = [], CommonPrefixes = [], IsTruncated = false, EncodingType } =
      await withRetries(`a list of ${prefix}`, signal, nothing, (sending) => this.client.send(new ListObjectsV2Command(input), sending))
    const pathOf = (key = ''): string => this.path(EncodingType === 'url' ? decodeURIComponent(key.replaceAll('+', ' ')) : key)
    return {
      objects: Contents.map(({ Key, Size = 0, LastModified, ETag = '' }) => ({ path: pathOf(Key), size: Size, modifiedAt: LastModified?.getTime() ?? 0, etag: ETag })),
      prefixes: CommonPrefixes.map(({ Prefix }) => pathOf(Prefix)),
      more: IsTruncated,
    }
  }

  /** At most a page of them. What is not there is no error. */
  async delete(paths: readonly string[], { signal }: AbortOptions = {}): Promise<void> {
    if (paths.length === 0) return
    const input = { Bucket: this.name, Delete: { Quiet: true, Objects: paths.map((path) => ({ Key: this.key(path) })) } }
    await withRetries(`DELETE of ${paths.length} objects`, signal, nothing, async (sending) => {
      const { Errors = [] } = await this.client.send(new DeleteObjectsCommand(input), sending)
      const failed = Errors.find(({ Code }) => Code !== 'NoSuchKey')
      if (failed !== undefined) throw Object.assign(new Error(`${failed.Key}: ${failed.Message}`), { name: failed.Code ?? 'Error', Code: failed.Code })
    })
  }

  /** A URL under which an object can be had without a key, for so many seconds. */
  presigned(path: string, method: 'GET' | 'HEAD', seconds: number): Promise<string> {
    const input = { Bucket: this.name, Key: this.key(path) }
    const command = method === 'GET' ? new GetObjectCommand(input) : new HeadObjectCommand(input)
    return getSignedUrl(this.client, command, { expiresIn: seconds })
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

  #newObject(path: string): { readonly Bucket: string; readonly Key: string } & ReturnType<Bucket['newObject']> {
    return { Bucket: this.name, Key: this.key(path), ...this.newObject() }
  }
}
