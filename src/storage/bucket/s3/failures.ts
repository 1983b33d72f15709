import { StorageFailedError } from '../../errors.ts'
import { failureOf, isPassingFault, type Fault } from '../fault.ts'
import type { Faults } from '../retries.ts'

/** Codes of answers that another try may better, whatever their status. */
const PASSING: ReadonlySet<string> = new Set([
  'SlowDown', 'Throttling', 'ThrottlingException', 'RequestLimitExceeded', 'RequestThrottled', 'TooManyRequests', 'BandwidthLimitExceeded',
  'RequestTimeout', 'RequestTimeoutException', 'RequestTimeTooSkewed', 'InternalError', 'ServiceUnavailable', 'OperationAborted', 'ConditionalRequestConflict',
  'BadDigest', 'IncompleteBody', 'XAmzContentSHA256Mismatch',
  // of versitygw over a directory, of a new object while another request removes the directory that its last one left
  'ExistingObjectIsDirectory',
])

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

function isPassing(error: unknown): boolean {
  if (error instanceof StorageFailedError) return false
  const fault = faultOf(error)
  return PASSING.has(fault.code) || PASSING.has(fault.name) || (fault.name !== 'CredentialsProviderError' && isPassingFault(fault, error))
}

function storageFailed(what: string, error: unknown): StorageFailedError {
  if (error instanceof StorageFailedError) return error
  const fault = faultOf(error)
  return failureOf(what, fault.message === 'UnknownError' ? { ...fault, message: '' } : fault)
}

export const S3_FAULTS: Faults = { isPassing, storageFailed }
