import { BasicChallenger, BearerChallenger } from '../auth/challenge.ts'
import type { Authorizer } from '../auth/authorizer.ts'
import { Logins } from '../auth/logins.ts'
import { OpenAuthorizer } from '../auth/open-authorizer.ts'
import { OwnTokens } from '../auth/own-tokens.ts'
import { PasswordAuthorizer } from '../auth/password-authorizer.ts'
import { RecentDecisions } from '../auth/recent-decisions.ts'
import { AccessPolicy } from '../auth/rules.ts'
import { sharedSecret } from '../auth/shared-secret.ts'
import { SillyAuthorizer } from '../auth/silly-authorizer.ts'
import { TokenAuthorizer } from '../auth/token-authorizer.ts'
import { TokenDesk } from '../auth/token-desk.ts'
import { TokenKeys } from '../auth/token-keys.ts'
import type { Config } from '../config/options.ts'
import { DEFAULT_REALM } from '../config/options/access.ts'
import type { Service } from '../http/reception.ts'
import { tokenService } from '../http/token-service.ts'
import type { Logger } from '../telemetry/logger.ts'

/** Who may do what, as the configuration has it. */
export interface Access {
  /** Undefined where nobody is asked. */
  readonly authorizer: Authorizer | undefined
  readonly services: ReadonlyMap<string, Service>
  close(): Promise<void>
}

const TOKEN_PATH = '/auth/token'

/** @throws AuthFileError for a file that can't be used */
export async function createAccess(config: Config, log: Logger): Promise<Access> {
  const access = await createDeciding(config, log)
  return access.authorizer === undefined ? access : { ...access, authorizer: new RecentDecisions(access.authorizer) }
}

async function createDeciding(config: Config, log: Logger): Promise<Access> {
  const policy = new AccessPolicy({ rules: config.access, anonymousPull: config.anonymousPull })
  const { authHtpasswdPath: path, authHtpasswdRealm: realm = DEFAULT_REALM } = config
  if (path !== undefined) return await passwordAccess(config, { path, realm }, policy, log)
  const authorizer = tokenAuthorizer(config, policy, log) ?? sillyAuthorizer(config, policy) ?? (config.access === undefined ? undefined : new OpenAuthorizer(policy))
  return { authorizer, services: new Map(), close: async () => {} }
}

/**
 * Clients learn from `GET /v2/` how to log in. With Basic, a 200 there means that Docker never sends a password, and a
 * 401 that it pulls nothing without one. So where anything is for everybody, they get tokens here.
 */
async function passwordAccess(config: Config, { path, realm }: Whole<'path' | 'realm'>, policy: AccessPolicy, log: Logger): Promise<Access> {
  const logins = await Logins.open({ path, notes: log })
  const close = (): Promise<void> => logins.close()
  if (!policy.admitsAnonymous) {
    const challenger = new BasicChallenger(realm)
    return { authorizer: new PasswordAuthorizer({ logins, policy, challenger }), services: new Map(), close }
  }
  const tokens = new OwnTokens(config.httpSecret ?? sharedSecret(config.data), realm)
  const challenger = new BearerChallenger({ realm: ownUrl(config, TOKEN_PATH), service: realm })
  const service = tokenService(new TokenDesk({ logins, policy, tokens, realm }))
  return { authorizer: new PasswordAuthorizer({ logins, policy, challenger, tokens }), services: new Map([[TOKEN_PATH, service]]), close }
}

function tokenAuthorizer(config: Config, policy: AccessPolicy, notes: Logger): Authorizer | undefined {
  const given = { realm: config.authTokenRealm, service: config.authTokenService, issuer: config.authTokenIssuer }
  if (Object.values(given).every((value) => value === undefined)) return undefined
  const { realm, service, issuer } = whole('auth.token', given)
  const { authTokenSigningAlgorithms: algorithms } = config
  return new TokenAuthorizer({
    keys: new TokenKeys({ bundle: config.authTokenRootCertBundle, jwks: config.authTokenJwks, notes }),
    issuer,
    service,
    algorithms: algorithms.length === 0 ? undefined : algorithms,
    policy,
    challenger: new BearerChallenger({ service, realm: config.authTokenAutoRedirect ? externally(config, config.authTokenAutoRedirectPath) : realm }),
  })
}

function sillyAuthorizer({ authSillyRealm: realm, authSillyService: service }: Config, policy: AccessPolicy): Authorizer | undefined {
  if (realm === undefined && service === undefined) return undefined
  return new SillyAuthorizer({ policy, challenger: new BearerChallenger(whole('auth.silly', { realm, service })) })
}

type Whole<Name extends string> = Readonly<Record<Name, string>>

/** Half a way to log in must not leave the registry open. @throws Error that names what is missing */
function whole<Name extends string>(scheme: string, values: Readonly<Record<Name, string | undefined>>): Whole<Name> {
  const missing = Object.entries(values).filter(([, value]) => value === undefined)
  if (missing.length > 0) throw new Error(`${scheme} lacks ${missing.map(([name]) => name).join(' and ')}`)
  return values as Whole<Name>
}

/** Where the client sees a path of this registry: at the configured URL, or (a path alone) at the one that it came to. */
function externally({ externalHost }: Config, path: string): string {
  return externalHost === undefined ? path : new URL(path, externalHost).href
}

function ownUrl(config: Config, path: string): string {
  return externally(config, `${(config.httpPrefix ?? '').replace(/\/$/, '')}${path}`)
}
