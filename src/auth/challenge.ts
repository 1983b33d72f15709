import { RegistryError } from '../oci/errors.ts'
import type { Scope } from './authorizer.ts'
import { formatScopes } from './scope-text.ts'

/** What was wrong with a token, RFC 6750 §3.1. */
export type TokenFault = 'invalid_token' | 'insufficient_scope'

/** How somebody who has not said who he is can do so. */
export interface Challenger {
  /** @param origin where the client sees this registry: `https://host:port` */
  challenge(origin: string, scopes: readonly Scope[], fault?: TokenFault): string
}

export class BasicChallenger implements Challenger {
  readonly #header: string

  constructor(realm: string) {
    this.#header = `Basic realm=${quoted(realm)}`
  }

  challenge(): string {
    return this.#header
  }
}

export interface BearerOptions {
  /** URL that gives tokens, or a path of the origin that the client knows. */
  readonly realm: string
  readonly service: string
}

/** Distribution's token specification, §How to authenticate: `Bearer realm="…",service="…",scope="…"`. */
export class BearerChallenger implements Challenger {
  readonly #options: BearerOptions

  constructor(options: BearerOptions) {
    this.#options = options
  }

  challenge(origin: string, scopes: readonly Scope[], fault?: TokenFault): string {
    const { realm, service } = this.#options
    const parts = [`Bearer realm=${quoted(realm.startsWith('/') ? origin + realm : realm)}`, `service=${quoted(service)}`]
    if (scopes.length > 0) parts.push(`scope=${quoted(formatScopes(scopes))}`)
    if (fault !== undefined) parts.push(`error=${quoted(fault)}`)
    return parts.join(',')
  }
}

export function unauthorized(challenge: string, reason?: string, cause?: unknown): RegistryError {
  return new RegistryError('UNAUTHORIZED', reason, { headers: { 'WWW-Authenticate': challenge }, cause })
}

/** RFC 9110 §5.6.4; what no header may hold goes. */
function quoted(text: string): string {
  const printable = text.replaceAll(/[^\t\x20-\x7e]/g, encodeURIComponent)
  return `"${printable.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}
