export interface ErrorEntry {
  /** HTTP status of the answer. */
  readonly status: number
  /** The sentence that the client reads when nothing more exact is known. */
  readonly message: string
}

export type ErrorCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'
  | 'UNAVAILABLE'
  | 'UNKNOWN'
  | 'MANIFEST_UNVERIFIED'

/** distribution-spec §Error Codes: a 4XX has one of its codes. Then what failures of the server are called, for which it has none. */
export const ERROR_CATALOGUE: Readonly<Record<ErrorCode, ErrorEntry>> = {
  BLOB_UNKNOWN: { status: 404, message: 'blob unknown to registry' },
  BLOB_UPLOAD_INVALID: { status: 400, message: 'blob upload invalid' },
  BLOB_UPLOAD_UNKNOWN: { status: 404, message: 'blob upload unknown to registry' },
  DIGEST_INVALID: { status: 400, message: 'provided digest did not match uploaded content' },
  MANIFEST_BLOB_UNKNOWN: { status: 404, message: 'manifest references a manifest or blob unknown to registry' },
  MANIFEST_INVALID: { status: 400, message: 'manifest invalid' },
  MANIFEST_UNKNOWN: { status: 404, message: 'manifest unknown to registry' },
  NAME_INVALID: { status: 400, message: 'invalid repository name' },
  NAME_UNKNOWN: { status: 404, message: 'repository name not known to registry' },
  SIZE_INVALID: { status: 400, message: 'provided length did not match content length' },
  UNAUTHORIZED: { status: 401, message: 'authentication required' },
  DENIED: { status: 403, message: 'requested access to the resource is denied' },
  UNSUPPORTED: { status: 405, message: 'the operation is unsupported' },
  TOOMANYREQUESTS: { status: 429, message: 'too many requests' },
  UNAVAILABLE: { status: 503, message: 'service unavailable' },
  UNKNOWN: { status: 500, message: 'unknown error' },
  /** A peer sent what does not verify, or an image that is not what its name says. */
  MANIFEST_UNVERIFIED: { status: 502, message: 'image from the network failed verification' },
}

export interface RegistryErrorOptions extends ErrorOptions {
  /** Overrides the catalogue's status: 413 for an oversized manifest, 409 for an upload that is busy. */
  readonly status?: number
  /** The `detail` member of the answer; anything that JSON can say. */
  readonly detail?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** The one error that a client sees. Every other error is mapped to it in `http/`. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError'
  readonly code: ErrorCode
  readonly status: number
  readonly detail: unknown
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ErrorCode, reason?: string, options: RegistryErrorOptions = {}) {
    super(reason ?? ERROR_CATALOGUE[code].message, options)
    this.code = code
    this.status = options.status ?? ERROR_CATALOGUE[code].status
    this.detail = options.detail
    this.headers = options.headers ?? {}
  }
}
