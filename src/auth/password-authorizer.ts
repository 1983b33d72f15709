import type { AbortOptions } from '../oci/abort.ts'
import type { Authorizer, Claim, Identity, Scope } from './authorizer.ts'
import { unauthorized, type Challenger } from './challenge.ts'
import { readCredentials } from './credentials.ts'
import { decide, type Bearer } from './decide.ts'
import type { Logins } from './logins.ts'
import type { OwnTokens } from './own-tokens.ts'
import type { AccessPolicy } from './rules.ts'

export interface PasswordAuthorizerParts {
  readonly logins: Logins
  readonly policy: AccessPolicy
  readonly challenger: Challenger
  /** Where clients come with tokens that they got for their passwords, or for nothing. */
  readonly tokens?: OwnTokens | undefined
}

/** Users with passwords, on each request or once for a token. */
export class PasswordAuthorizer implements Authorizer {
  readonly #parts: PasswordAuthorizerParts

  constructor(parts: PasswordAuthorizerParts) {
    this.#parts = parts
  }

  async authorize(claim: Claim, scopes: readonly Scope[], options: AbortOptions = {}): Promise<Identity> {
    return decide(this.#parts, await this.#bearer(claim, scopes, options), claim, scopes)
  }

  async #bearer(claim: Claim, scopes: readonly Scope[], options: AbortOptions): Promise<Bearer | undefined> {
    const { logins, challenger, tokens } = this.#parts
    const credentials = readCredentials(claim.authorization)
    if (credentials === undefined) return undefined
    if (credentials.scheme === 'basic') {
      const { user } = credentials
      if (await logins.check(credentials, claim.address, options)) return { known: true, user, carries: () => true }
      throw unauthorized(challenger.challenge(claim.origin, scopes), 'user or password is wrong')
    }
    if (credentials.scheme === 'other' || tokens === undefined) throw unauthorized(challenger.challenge(claim.origin, scopes))
    const token = await tokens.verify(credentials.token)
    if (token === undefined || (token.user !== undefined && !(await logins.has(token.user)))) {
      throw unauthorized(challenger.challenge(claim.origin, scopes, 'invalid_token'))
    }
    return token
  }
}
