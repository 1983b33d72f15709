import { RegistryError } from '../oci/errors.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { SeenRequest } from '../telemetry/request-observer.ts'
import type { Client } from './client.ts'
import { GatewayError } from './gateway-request.ts'

/** Values of a query that may open doors. */
const SECRETS = /([?&][^=&]*(?:token|passw|secret|sig|key|code|auth|cred|session|jwt)[^=&]*=)[^&]*/gi
/** Longest part of a URL or a user agent that is logged, in characters. */
const LONGEST = 1024

/** The line of each request: reading ones at level debug, those that change something at info, failures at error. */
export class AccessLog {
  readonly #log: Logger
  readonly #disabled: boolean

  /** @param disabled only failures have a line */
  constructor(log: Logger, disabled: boolean) {
    this.#log = log
    this.#disabled = disabled
  }

  /** @param url as the client wrote it; @param ms from the request to the end of its answer */
  write(seen: SeenRequest, { address, userAgent }: Client, url: string, ms: number, failure: unknown): void {
    const failed = failure !== undefined && seen.status !== 499 && !isClientError(failure)
    const { id, method, user, status, received, sent } = seen
    const level = failed ? 'error' : status !== 499 && (method === 'GET' || method === 'HEAD') ? 'debug' : 'info'
    // Nearly all requests are of the kind that is not logged: for those no line is made.
    if ((this.#disabled && !failed) || this.#log.isLevelEnabled?.(level) === false) return
    const line = {
      id, ms: Math.round(ms * 10) / 10, method, url: url.slice(0, LONGEST).replace(SECRETS, '$1…'), status, received, sent,
      ...(user === undefined ? {} : { user }), address, agent: userAgent.slice(0, LONGEST),
    }
    if (failed) this.#log.error({ ...line, err: failure }, 'failed')
    else this.#log[level](line, status === 499 ? 'client went away' : 'request')
  }
}

function isClientError(failure: unknown): boolean {
  return (failure instanceof RegistryError || failure instanceof GatewayError) && (failure.status < 500 || failure.status === 501)
}
