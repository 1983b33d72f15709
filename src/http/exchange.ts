import type { IncomingHttpHeaders } from 'node:http'
import type { Identity } from '../auth/authorizer.ts'
import type { Registry } from '../registry/registry.ts'
import type { Answer } from './answer.ts'
import type { Client } from './client.ts'
import type { RequestBody } from './request-body.ts'

/** A request as a handler sees it. */
export interface Exchange {
  readonly registry: Registry
  /** Repository. */
  readonly name: string
  /** Tag, digest or upload id. */
  readonly reference: string
  /** What follows the `?`. */
  readonly search: string
  readonly headers: IncomingHttpHeaders
  readonly body: RequestBody
  readonly client: Client
  /** Who asks, and was let in. */
  readonly identity: Identity
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal
}

/** Returns what to answer, or throws; what is thrown is mapped in `error-answer.ts`. */
export type Handler = (exchange: Exchange) => Promise<Answer>
