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
  /** The message without places and programs, which are nothing for strangers. @default that the storage failed, or has no room left */
  readonly summary?: string | undefined
  /** What was to be written has no room. @default whether the cause says so */
  readonly isFull?: boolean | undefined
}

/** The store has no room left, or its medium failed; what was there before is still there. */
export class StorageFailedError extends Error {
  override readonly name = 'StorageFailedError'
  readonly summary: string
  readonly isFull: boolean

  constructor(message: string, { cause, isFull = isOfFullMedium(cause), summary = isFull ? 'no room left in the storage' : 'the storage failed' }: StorageFailedOptions = {}) {
    super(message, { cause })
    this.summary = summary
    this.isFull = isFull
  }
}

function isOfFullMedium(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT')
}
