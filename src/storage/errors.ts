import { formatDigest, type Digest } from '../oci/digest.ts'

/** There is proven to be no object at the path. */
export class ObjectUnknownError extends Error {
  override readonly name = 'ObjectUnknownError'
  readonly path: string

  constructor(path: string) {
    super(`no object at ${path}`)
    this.path = path
  }
}

/** Another commit came in between: read again, decide again. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError'

  /** @param path the object or directory */
  constructor(path: string) {
    super(`${path} is not as expected`)
  }
}

export class DigestMismatchError extends Error {
  override readonly name = 'DigestMismatchError'
  readonly actual: Digest

  constructor(expected: Digest, actual: Digest) {
    super(`content is ${formatDigest(actual)}, not ${formatDigest(expected)}`)
    this.actual = actual
  }
}

export class UploadUnknownError extends Error {
  override readonly name = 'UploadUnknownError'

  constructor(id: string) {
    super(`no upload ${id}`)
  }
}

/** Somebody else is at work on the upload. */
export class UploadBusyError extends Error {
  override readonly name = 'UploadBusyError'

  constructor(id: string) {
    super(`upload ${id} is in use by another request`)
  }
}

export class OffsetMismatchError extends Error {
  override readonly name = 'OffsetMismatchError'
  /** Bytes that the upload has: where the next append must begin. */
  readonly size: number

  constructor(id: string, size: number, offset: number) {
    super(`upload ${id} has ${size} bytes, not ${offset}`)
    this.size = size
  }
}

export interface StorageFailedOptions extends ErrorOptions {
  /** The message without places and programs, which are nothing for strangers. @default the storage failed */
  readonly summary?: string | undefined
}

/** The store has no room left, or its medium failed; what was there before is still there. */
export class StorageFailedError extends Error {
  override readonly name = 'StorageFailedError'
  readonly summary: string

  constructor(message: string, { summary = 'the storage failed', ...options }: StorageFailedOptions = {}) {
    super(message, options)
    this.summary = summary
  }
}
