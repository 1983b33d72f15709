import type { EventAction, RegistryEvent } from './event.ts'

/** Distribution's `notifications.endpoints[]`. */
export interface Endpoint {
  /** Names its queue in the store. */
  readonly name: string
  readonly url: string
  /** Sent along; may hold credentials, and so never logged. */
  readonly headers?: Readonly<Record<string, readonly string[]>> | undefined
  /** For one attempt, in milliseconds. */
  readonly timeout: number
  /** Failures in a row after which it is left alone for a while. */
  readonly threshold: number
  /** For how long, in milliseconds. */
  readonly backoff: number
  readonly ignoredMediaTypes?: readonly string[] | undefined
  readonly ignoredActions?: readonly EventAction[] | undefined
}

/** Whether the endpoint wants to hear of it. */
export function wants({ ignoredMediaTypes = [], ignoredActions = [] }: Endpoint, { action, target }: RegistryEvent): boolean {
  return !ignoredActions.includes(action) && !(target.mediaType !== undefined && ignoredMediaTypes.includes(target.mediaType))
}
