import type { AbortOptions } from '../oci/abort.ts'
import type { Action, Claim, Scope } from './authorizer.ts'
import { BasicChallenger, unauthorized } from './challenge.ts'
import { readCredentials, type Password } from './credentials.ts'
import type { Logins } from './logins.ts'
import { TOKEN_LIFE, type OwnTokens } from './own-tokens.ts'
import { NOBODY_IN_PARTICULAR, type AccessPolicy } from './rules.ts'
import { formatScopes } from './scope-text.ts'

export interface TokenDeskParts {
  readonly logins: Logins
  readonly policy: AccessPolicy
  readonly tokens: OwnTokens
  readonly realm: string
}

export interface TokenRequest {
  readonly claim: Claim
  /** Where it came in a form and not in the header. */
  readonly password?: Password | undefined
  readonly scopes: readonly Scope[]
}

/** Distribution's token specification, §Token Response Fields. The scopes are what was asked for, less what is not allowed. */
export interface TokenGrant {
  readonly token: string
  /** The same, by its name in OAuth 2. */
  readonly access_token: string
  /** Seconds. */
  readonly expires_in: number
  /** RFC 3339. */
  readonly issued_at: string
  /** OAuth 2: what was granted of what was asked for. */
  readonly scope: string
}

/** What a token has room for: it travels in a header. */
const MAX_SCOPES = 64

const EVERY_ACTION: readonly Action[] = ['pull', 'push', 'delete']

/** Gives tokens: to users for their passwords, to everybody else for what everybody may do. */
export class TokenDesk {
  readonly #parts: TokenDeskParts

  constructor(parts: TokenDeskParts) {
    this.#parts = parts
  }

  /** @throws RegistryError UNAUTHORIZED for a wrong password, TOOMANYREQUESTS after too many */
  async grant({ claim, password, scopes }: TokenRequest, options: AbortOptions = {}): Promise<TokenGrant> {
    const { tokens, policy } = this.#parts
    const user = await this.#user(claim, password, options)
    const asker = user === undefined ? NOBODY_IN_PARTICULAR : { known: true, user }
    const granted = scopes.slice(0, MAX_SCOPES).flatMap((scope) => {
      const actions = allowedOf(scope, (action) => policy.allows(asker, { ...scope, actions: [action] }))
      return actions.length === 0 ? [] : [{ ...scope, actions }]
    })
    const now = Date.now()
    const token = await tokens.issue(user, granted, now)
    return { token, access_token: token, expires_in: TOKEN_LIFE, issued_at: new Date(now).toISOString(), scope: formatScopes(granted) }
  }

  async #user(claim: Claim, password: Password | undefined, options: AbortOptions): Promise<string | undefined> {
    const { logins, realm } = this.#parts
    const credentials = password ?? readCredentials(claim.authorization)
    if (credentials === undefined) return undefined
    if (credentials.scheme === 'basic' && (await logins.check(credentials, claim.address, options))) return credentials.user
    throw unauthorized(new BasicChallenger(realm).challenge(), 'user or password is wrong')
  }
}

/** Who asks for everything, as skopeo does to delete, gets what there is. */
function allowedOf({ actions }: Scope, allows: (action: Action) => boolean): Action[] {
  const asked = new Set(actions.flatMap((action): readonly Action[] => (action === '*' && !allows('*') ? EVERY_ACTION : [action])))
  return [...asked].filter((action) => allows(action))
}
