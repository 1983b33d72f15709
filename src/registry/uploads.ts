import { randomUUID } from 'node:crypto'
import type { Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { uploadRange } from '../oci/range.ts'
import { DigestMismatchError, OffsetMismatchError, UploadBusyError, UploadUnknownError } from '../storage/errors.ts'
import type { AbortOptions, ObjectStore, UploadStat } from '../storage/object-store.ts'
import { link } from './links.ts'
import { blobTooLarge } from './limits.ts'
import { checkDigest, checkName } from './names.ts'
import { blobData, inRepository, within } from './paths.ts'
import type { Upload } from './registry.ts'

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Upload sessions; all they know is in the store, so that any process goes on with any of them. */
export class Uploads {
  readonly #store: ObjectStore
  readonly #blobSize: number

  /** @param blobSize most bytes of one */
  constructor(store: ObjectStore, blobSize: number = Infinity) {
    this.#store = store
    this.#blobSize = blobSize
  }

  async start(name: string, options?: AbortOptions): Promise<Upload> {
    checkName(name)
    const id = randomUUID()
    await this.#store.uploads.create(id, name, options)
    return { id, size: 0 }
  }

  async get(name: string, id: string, options?: AbortOptions): Promise<Upload> {
    checkName(name)
    const stat = UUID.test(id) ? await this.#store.uploads.stat(id, options) : undefined
    if (stat === undefined || stat.repository !== name) throw unknown(id)
    return { id, size: stat.size }
  }

  async append(
    name: string,
    id: string,
    offset: number | undefined,
    source: AsyncIterable<Uint8Array>,
    options?: AbortOptions,
  ): Promise<Upload> {
    const { size } = await this.get(name, id, options)
    const end = await this.#told(id, () => this.#store.uploads.append(id, offset ?? size, this.#within(source, offset ?? size), options))
    return { id, size: end }
  }

  async finish(name: string, id: string, text: string, options?: AbortOptions): Promise<Digest> {
    const digest = checkDigest(text)
    await this.get(name, id, options)
    const changes = [link(inRepository(name, within.layer(digest)), digest)]
    try {
      await this.#store.commit({ uploads: [{ id, path: blobData(digest), digest }], changes }, options)
    } catch (error) {
      // Nothing can be appended that makes it right. What is wrong with it matters more than a failed cleaning.
      if (error instanceof DigestMismatchError) await this.#store.uploads.remove(id).catch(() => {})
      throw registryError(error, id)
    }
    return digest
  }

  async cancel(name: string, id: string, options?: AbortOptions): Promise<void> {
    await this.get(name, id, options)
    await this.#told(id, () => this.#store.uploads.remove(id, options))
  }

  /**
   * Drops the sessions that `which` chooses and that nobody is at work on.
   *
   * distribution-spec §Cancel a blob upload: the server SHOULD eventually timeout unfinished uploads.
   *
   * @returns how many went
   */
  async removeAll(which: (upload: UploadStat) => boolean, options?: AbortOptions): Promise<number> {
    let removed = 0
    let after: string | undefined
    for (;;) {
      const page = await this.#store.uploads.list({ after, signal: options?.signal })
      for (const upload of page) {
        if (which(upload) && (await this.#removeUnlessBusy(upload.id, options))) removed++
      }
      after = page.at(-1)?.id
      if (after === undefined) return removed
    }
  }

  #within(source: AsyncIterable<Uint8Array>, start: number): AsyncIterable<Uint8Array> {
    return this.#blobSize === Infinity ? source : atMost(source, this.#blobSize - start, blobTooLarge(this.#blobSize))
  }

  async #removeUnlessBusy(id: string, options?: AbortOptions): Promise<boolean> {
    try {
      await this.#store.uploads.remove(id, options)
      return true
    } catch (error) {
      if (error instanceof UploadBusyError) return false
      throw error
    }
  }

  async #told<T>(id: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw registryError(error, id)
    }
  }
}

async function* atMost(source: AsyncIterable<Uint8Array>, bytes: number, tooMany: RegistryError): AsyncGenerator<Uint8Array, void, void> {
  let left = bytes
  for await (const chunk of source) {
    left -= chunk.byteLength
    if (left < 0) throw tooMany
    yield chunk
  }
}

function unknown(id: string, cause?: unknown): RegistryError {
  return new RegistryError('BLOB_UPLOAD_UNKNOWN', undefined, { detail: { id }, cause })
}

function registryError(cause: unknown, id: string): unknown {
  if (cause instanceof UploadUnknownError) return unknown(id, cause)
  if (cause instanceof UploadBusyError) {
    return new RegistryError('BLOB_UPLOAD_INVALID', 'another request is at work on this upload', { status: 409, detail: { id }, cause })
  }
  if (cause instanceof DigestMismatchError) return new RegistryError('DIGEST_INVALID', cause.message, { detail: { id }, cause })
  if (cause instanceof OffsetMismatchError) {
    // distribution-spec: If a chunk is uploaded out of order, the registry MUST respond with a 416.
    return new RegistryError('BLOB_UPLOAD_INVALID', cause.message, { status: 416, headers: { Range: uploadRange(cause.size) }, detail: { size: cause.size }, cause })
  }
  return cause
}
