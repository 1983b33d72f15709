import type { GcsCredentials } from './sdk.ts'

/** What may be said of a bucket: the parameters of Distribution's `gcs` driver that still mean something, sizes in bytes. */
export interface GcsOptions {
  readonly bucket: string
  /** A service account's key as a file. @default where Google's clients look: `GOOGLE_APPLICATION_CREDENTIALS`, the machine's account */
  readonly keyFile?: string | undefined
  /** The same, as it is in such a file, which counts more. */
  readonly credentials?: GcsCredentials | undefined
  /** What all names begin with. */
  readonly rootDirectory?: string | undefined
  /** Of the pieces in which uploads are sent. @default 16 MiB */
  readonly chunkSize?: number | undefined
  readonly userAgent?: string | undefined
  /** Of another server than Google's: a URL. One without TLS is told no key. */
  readonly endpoint?: string | undefined
}

const MIB = 1024 * 1024
/** Distribution's: a multiple of so much, at least. */
const STEP = 256 * 1024
const MAX_PIECE = 1024 * MIB

/** A bucket can't be used as it is configured; the message says all that is wrong and is meant for whoever started Disco. */
export class GcsOptionsError extends Error {
  override readonly name = 'GcsOptionsError'
}

export type SettledGcs = GcsOptions & { readonly rootDirectory: string; readonly chunkSize: number }

/** With the defaults. @throws GcsOptionsError */
export function settleGcs(options: GcsOptions): SettledGcs {
  const { bucket, credentials, chunkSize = 16 * MIB, rootDirectory = '' } = options
  const lacking = credentials === undefined ? [] : ['client_email', 'private_key'].filter((key) => (credentials[key] ?? '') === '')
  const faults = [
    ...(bucket === '' ? ['bucket is missing'] : []),
    ...lacking.map((key) => `credentials has no ${key}, as a service account's key has it`),
    ...(Number.isSafeInteger(chunkSize) && chunkSize >= STEP && chunkSize <= MAX_PIECE && chunkSize % STEP === 0 ? [] : [`chunksize is ${chunkSize}, no multiple of 256 KiB up to 1 GiB`]),
  ]
  if (faults.length > 0) throw new GcsOptionsError(faults.join('; '))
  return { ...options, chunkSize, rootDirectory: rootDirectory.replace(/^\/+|\/+$/g, '') }
}
