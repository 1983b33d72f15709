import { RegistryError } from '../oci/errors.ts'
import { ConflictError, StorageFailedError } from '../storage/errors.ts'
import { json, type Answer } from './answer.ts'

/** The one place where what went wrong becomes what the client reads. Only RegistryErrors speak for themselves. */
export function toRegistryError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error
  if (error instanceof ConflictError) return new RegistryError('UNAVAILABLE', 'changed by other requests meanwhile; try again', { cause: error })
  if (error instanceof StorageFailedError) return new RegistryError('UNAVAILABLE', error.summary, { cause: error, ...(error.isFull && { status: 507 }) })
  return new RegistryError('UNKNOWN', undefined, { cause: error })
}

/** distribution-spec §Error Codes: `{"errors":[{"code","message","detail"}]}`. */
export function errorAnswer({ code, message, detail, status, headers }: RegistryError): Answer {
  return json(status, { errors: [{ code, message, ...(detail === undefined ? {} : { detail }) }] }, { ...headers })
}
