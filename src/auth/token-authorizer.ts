import { hash } from 'node:crypto'
import { jwtVerify } from 'jose'
import type { Authorizer, Claim, Identity, Scope } from './authorizer.ts'
import { BoundedMap } from '../oci/bounded-map.ts'
import { unauthorized, type Challenger } from './challenge.ts'
import { readCredentials } from './credentials.ts'
import { decide, type Bearer } from './decide.ts'
import type { AccessPolicy } from './rules.ts'
import { coveredBy, readAccess } from './token-access.ts'
import type { TokenKeys } from './token-keys.ts'

export interface TokenAuthorizerParts {
  readonly keys: TokenKeys
  readonly issuer: string
  /** The audience that tokens are for. */
  readonly service: string
  /** @default all that sign with a key pair */
  readonly algorithms?: readonly string[] | undefined
  readonly policy: AccessPolicy
  readonly challenger: Challenger
}

/** Those of a shared secret (HS…) have to be named: who can verify them can also make them. */
export const KEY_PAIR_ALGORITHMS: readonly string[] = ['EdDSA', 'Ed25519', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512']

/** Distribution's `Leeway`, in seconds: clocks differ. */
const LEEWAY = 60
/** How long a token is known without verifying it again, in milliseconds: so long a key that is taken away still counts. */
const REMEMBERED_FOR = 60_000
const MAX_REMEMBERED = 1_000

interface Verified extends Bearer {
  /** Seconds since 1970. */
  readonly expires: number
}

/** Distribution's token specification: another server says who may what, and signs it. */
export class TokenAuthorizer implements Authorizer {
  readonly #parts: TokenAuthorizerParts
  readonly #known = new BoundedMap<Verified>(MAX_REMEMBERED, REMEMBERED_FOR)

  constructor(parts: TokenAuthorizerParts) {
    this.#parts = parts
  }

  async authorize(claim: Claim, scopes: readonly Scope[]): Promise<Identity> {
    return decide(this.#parts, await this.#bearer(claim, scopes), claim, scopes)
  }

  async #bearer(claim: Claim, scopes: readonly Scope[]): Promise<Bearer | undefined> {
    const { challenger } = this.#parts
    const credentials = readCredentials(claim.authorization)
    if (credentials === undefined) return undefined
    if (credentials.scheme !== 'bearer') throw unauthorized(challenger.challenge(claim.origin, scopes))
    try {
      return await this.#verified(credentials.token)
    } catch (cause) {
      throw unauthorized(challenger.challenge(claim.origin, scopes, 'invalid_token'), undefined, cause)
    }
  }

  async #verified(token: string): Promise<Bearer> {
    const key = hash('sha256', token, 'base64')
    const known = this.#known.get(key)
    if (known !== undefined && known.expires + LEEWAY > Date.now() / 1000) return known
    const verified = await this.#verify(token)
    this.#known.set(key, verified)
    return verified
  }

  async #verify(token: string): Promise<Verified> {
    const { keys, issuer, service, algorithms = KEY_PAIR_ALGORITHMS } = this.#parts
    const { payload } = await jwtVerify(token, (header) => keys.find(header), {
      algorithms: [...algorithms],
      issuer,
      audience: service,
      requiredClaims: ['exp'],
      clockTolerance: LEEWAY,
    })
    const access = readAccess(payload['access'])
    const { exp = 0 } = payload
    // RFC 7519 §4.1.2: a string, which nobody has checked so far.
    const sub: unknown = payload.sub
    return { known: true, user: typeof sub === 'string' && sub !== '' ? sub : undefined, expires: exp, carries: (scope) => coveredBy(access, scope) }
  }
}
