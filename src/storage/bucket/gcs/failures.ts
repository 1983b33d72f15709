import { StorageFailedError } from '../../errors.ts'
import { failureOf, isPassingFault, type Fault } from '../fault.ts'
import type { Faults } from '../retries.ts'

/** Without what it is told by the fields of an error, Google says it in words. */
const NO_OBJECT = /^No such object: /
/** Of logins that fail before anything is asked. */
const NO_LOGIN = /^(?:Could not load the default credentials|invalid_(?:grant|client)|The incoming JSON object does not contain)/

/** What `fetch` throws says why in its cause alone. */
function reasonOf(error: unknown): unknown {
  return error instanceof TypeError && error.cause instanceof Error ? error.cause : error
}

function faultOf(thrown: unknown): Fault {
  const error = reasonOf(thrown)
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), status: 0, code: '' }
  const { code, errors } = error as { readonly code?: unknown; readonly errors?: readonly { readonly reason?: unknown }[] }
  const reason = errors?.[0]?.reason
  const status = typeof code === 'number' ? code : 0
  const message = error.message.replaceAll(/\s+/g, ' ').slice(0, 300)
  return { name: error.name, message, status, code: typeof reason === 'string' ? reason : typeof code === 'string' ? code : '' }
}

/** A 404: there is no such object, or no bucket. */
export function isAbsence(error: unknown): boolean {
  return faultOf(error).status === 404
}

/** Whether the server has said which. */
export function isAbsent(error: unknown): boolean {
  const { status, message } = faultOf(error)
  return status === 404 && NO_OBJECT.test(message)
}

/** The object is not of the generation that the request named. */
export function isUnlikeExpected(error: unknown): boolean {
  return faultOf(error).status === 412
}

/** The object ends before the range begins. */
export function isBeyondEnd(error: unknown): boolean {
  return faultOf(error).status === 416
}

function isPassing(error: unknown): boolean {
  if (error instanceof StorageFailedError) return false
  const fault = faultOf(error)
  return !NO_LOGIN.test(fault.message) && isPassingFault(fault, reasonOf(error))
}

function storageFailed(what: string, error: unknown): StorageFailedError {
  return error instanceof StorageFailedError ? error : failureOf(what, faultOf(error))
}

export const GCS_FAULTS: Faults = { isPassing, storageFailed }
