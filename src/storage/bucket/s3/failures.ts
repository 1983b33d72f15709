import { StorageFailedError } from '../../errors.ts'
import type { Faults } from '../retries.ts'

/** What the SDK throws, as far as anybody needs it. */
interface Fault {
  readonly name: string
  readonly message: string
  /** HTTP's; 0 where there was no answer. */
  readonly status: number
  /** S3's code, or the system's; empty where an answer had none, as those to HEAD have. */
  readonly code: string
}

/** Codes of answers that another try may better, whatever their status. */
const PASSING: ReadonlySet<string> = new Set([
  'SlowDown', 'Throttling', 'ThrottlingException', 'RequestLimitExceeded', 'RequestThrottled', 'TooManyRequests', 'BandwidthLimitExceeded',
  'RequestTimeout', 'RequestTimeoutException', 'RequestTimeTooSkewed', 'InternalError', 'ServiceUnavailable', 'OperationAborted', 'ConditionalRequestConflict',
  'BadDigest', 'IncompleteBody', 'XAmzContentSHA256Mismatch',
])
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504, 509])

/** Codes of certificates that will not be right the next time either. */
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_|^ERR_TLS|^ERR_SSL/

function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), status: 0, code: '' }
  const status: unknown = '$metadata' in error ? (error.$metadata as { httpStatusCode?: number } | undefined)?.httpStatusCode : undefined
  const code: unknown = 'Code' in error ? error.Code : 'code' in error ? error.code : undefined
  return { name: error.name, message: error.message, status: typeof status === 'number' ? status : 0, code: typeof code === 'string' ? code : '' }
}

/** Whether the server has proven that there is no such object. Of a HEAD that says only 404 it has not: its bucket may be missing. */
export function isAbsent(error: unknown): boolean {
  const { name, code } = faultOf(error)
  return name === 'NoSuchKey' || code === 'NoSuchKey'
}

/** A 404 without a reason. */
export function isBareAbsence(error: unknown): boolean {
  const { status, code } = faultOf(error)
  return status === 404 && (code === '' || code === 'NotFound')
}

/** The object is not in the state that the request named. */
export function isUnlikeExpected(error: unknown): boolean {
  return faultOf(error).status === 412
}

/** The object ends before the range begins. */
export function isBeyondEnd(error: unknown): boolean {
  return faultOf(error).status === 416
}

export function isNoSuchUpload(error: unknown): boolean {
  return faultOf(error).code === 'NoSuchUpload'
}

/** Whether the next try may succeed: nobody answered, or the server said that it can't now. */
function isPassing(error: unknown): boolean {
  if (error instanceof StorageFailedError) return false
  const { name, status, code } = faultOf(error)
  if (PASSING.has(code) || PASSING.has(name) || PASSING_STATUS.has(status)) return true
  return status === 0 && name !== 'CredentialsProviderError' && !UNTRUSTED.test(code) && !(error instanceof TypeError)
}

/**
 * What the rest of Disco hears. Of the SDK's error it keeps what says why: others of its properties hold the access key,
 * the signature and what was signed.
 */
function storageFailed(what: string, error: unknown): StorageFailedError {
  if (error instanceof StorageFailedError) return error
  const { name, message, status, code } = faultOf(error)
  const reason = [code === '' || code === name ? name : `${name} ${code}`, ...(status === 0 ? [] : [`(${status})`])].join(' ')
  const cause = new Error(message === 'UnknownError' ? reason : `${reason}: ${message}`)
  cause.name = name
  return new StorageFailedError(`the bucket failed at ${what}: ${cause.message}`, { cause })
}

export const S3_FAULTS: Faults = { isPassing, storageFailed }
