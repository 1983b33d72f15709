import { hash, hkdfSync, randomUUID } from 'node:crypto'
import { jwtVerify, SignJWT } from 'jose'
import type { Action, Scope } from './authorizer.ts'
import { BoundedMap } from '../oci/bounded-map.ts'
import { coveredBy, readAccess } from './token-access.ts'
import type { Bearer } from './decide.ts'

/** Seconds that a token is good for. */
export const TOKEN_LIFE = 300

const ISSUER = 'disco'
const MAX_KNOWN = 1_000

/** What a token says, once it was found to be genuine. */
export interface OwnToken extends Bearer {
  /** Seconds since 1970. */
  readonly expires: number
}

/** Tokens that this registry gives and takes: signed with a key that all its processes have. */
export class OwnTokens {
  readonly service: string
  readonly #key: Uint8Array
  readonly #known = new BoundedMap<OwnToken>(MAX_KNOWN, TOKEN_LIFE * 1000)

  /** @param secret what nobody else knows; the key is made of it */
  constructor(secret: string | Uint8Array, service: string) {
    this.service = service
    this.#key = new Uint8Array(hkdfSync('sha256', secret, '', 'disco: tokens of the registry', 32))
  }

  /** @param scopes what the bearer may do, at most for as long as the rules let him */
  async issue(user: string | undefined, scopes: readonly Scope[], now: number = Date.now()): Promise<string> {
    const access = scopes.map(({ type, name, actions }): { type: string; name: string; actions: readonly Action[] } => ({ type, name, actions }))
    const issued = Math.floor(now / 1000)
    return await new SignJWT({ access })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuer(ISSUER)
      .setSubject(user ?? '')
      .setAudience(this.service)
      .setIssuedAt(issued)
      .setExpirationTime(issued + TOKEN_LIFE)
      .setJti(randomUUID())
      .sign(this.#key)
  }

  /** @returns undefined for a token that is not ours, or has expired */
  async verify(token: string): Promise<OwnToken | undefined> {
    const key = hash('sha256', token, 'base64')
    const known = this.#known.get(key)
    if (known !== undefined) return known.expires * 1000 > Date.now() ? known : undefined
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: ['HS256'],
        issuer: ISSUER,
        audience: this.service,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: 5,
      })
      const user = payload.sub === '' ? undefined : payload.sub
      const access = readAccess(payload['access'])
      const verified = { known: user !== undefined, user, expires: payload.exp ?? 0, carries: (scope: Scope) => coveredBy(access, scope) }
      this.#known.set(key, verified)
      return verified
    } catch {
      return undefined
    }
  }
}
