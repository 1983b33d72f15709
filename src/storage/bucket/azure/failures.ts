import { StorageFailedError } from '../../errors.ts'
import { failureOf, isPassingFault, type Fault } from '../fault.ts'
import type { Faults } from '../retries.ts'

/** Of logins that fail before anything is asked. */
const NO_LOGIN: ReadonlySet<string> = new Set(['CredentialUnavailableError', 'AuthenticationError', 'AggregateAuthenticationError', 'AuthenticationRequiredError'])

function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), status: 0, code: '' }
  const { statusCode, code: own, details } = error as { readonly statusCode?: unknown; readonly code?: unknown; readonly details?: { readonly errorCode?: unknown } }
  // Answers to HEAD have no body, and the code in a header.
  const code = own ?? details?.errorCode
  // Below the first line are ids of the request, and when it was.
  const message = error.message.split('\n')[0]?.trim() ?? ''
  return { name: error.name, message, status: typeof statusCode === 'number' ? statusCode : 0, code: typeof code === 'string' ? code : '' }
}

/** Whether the server has proven that there is no such blob, and not that its container is missing. */
export function isAbsent(error: unknown): boolean {
  return faultOf(error).code === 'BlobNotFound'
}

/** The blob is not in the state that the request named. */
export function isUnlikeExpected(error: unknown): boolean {
  const { status, code } = faultOf(error)
  return status === 412 || code === 'BlobAlreadyExists'
}

/** The blob ends before the range begins. */
export function isBeyondEnd(error: unknown): boolean {
  return faultOf(error).status === 416
}

/** Another kind of blob is there, as Distribution appends to. */
export function isOtherKind(error: unknown): boolean {
  return faultOf(error).code === 'InvalidBlobType'
}

/** What was staged has gone: another has made the blob meanwhile. */
export function isUnstaged(error: unknown): boolean {
  return faultOf(error).code === 'InvalidBlockList'
}

function isPassing(error: unknown): boolean {
  if (error instanceof StorageFailedError) return false
  const fault = faultOf(error)
  return !NO_LOGIN.has(fault.name) && isPassingFault(fault, error)
}

function storageFailed(what: string, error: unknown): StorageFailedError {
  return error instanceof StorageFailedError ? error : failureOf(what, faultOf(error))
}

export const AZURE_FAULTS: Faults = { isPassing, storageFailed }
