import { BasicChallenger, BearerChallenger } from '../auth/challenge.ts'
import type { Authorizer } from '../auth/authorizer.ts'
import { Logins } from '../auth/logins.ts'
import { OpenAuthorizer } from '../auth/open-authorizer.ts'
import { OwnTokens } from '../auth/own-tokens.ts'
import { PasswordAuthorizer } from '../auth/password-authorizer.ts'
import { AccessPolicy } from '../auth/rules.ts'
import { sharedSecret } from '../auth/shared-secret.ts'
import { SillyAuthorizer } from '../auth/silly-authorizer.ts'
import { TokenAuthorizer } from '../auth/token-authorizer.ts'
import { TokenDesk } from '../auth/token-desk.ts'
import { TokenKeys } from '../auth/token-keys.ts'
import type { Config } from '../config/options.ts'
import { ConfigError, type ConfigProblem } from '../config/problem.ts'
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

/**
 * @throws ConfigError for settings that don't go together
 * @throws AuthFileError for a file that can't be used
 */
export async function createAccess(config: Config, log: Logger): Promise<Access> {
  checkAccess(config)
  const policy = new AccessPolicy({ rules: config.access, anonymousPull: config.anonymousPull })
  if (config.authHtpasswdPath !== undefined) return await passwordAccess(config, config.authHtpasswdPath, policy, log)
  const authorizer = tokenAuthorizer(config, policy, log) ?? sillyAuthorizer(config, policy) ?? (config.access === undefined ? undefined : new OpenAuthorizer(policy))
  return { authorizer, services: new Map(), close: async () => {} }
}

/**
 * Clients learn from `GET /v2/` how to log in. With Basic, a 200 there means that Docker never sends a password, and a
 * 401 that it pulls nothing without one. So where anything is for everybody, they get tokens here.
 */
async function passwordAccess(config: Config, path: string, policy: AccessPolicy, log: Logger): Promise<Access> {
  const realm = config.authHtpasswdRealm ?? 'disco'
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
  const { authTokenRealm: realm, authTokenService: service, authTokenIssuer: issuer, authTokenSigningAlgorithms: algorithms } = config
  if (service === undefined || issuer === undefined || realm === undefined) return undefined
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
  if (realm === undefined || service === undefined) return undefined
  return new SillyAuthorizer({ policy, challenger: new BearerChallenger({ realm, service }) })
}

/** Where the client sees a path of this registry: at the configured URL, or (a path alone) at the one that it came to. */
function externally({ externalHost }: Config, path: string): string {
  return externalHost === undefined ? path : new URL(path, externalHost).href
}

function ownUrl(config: Config, path: string): string {
  return externally(config, `${(config.httpPrefix ?? '').replace(/\/$/, '')}${path}`)
}

function checkAccess(config: Config): void {
  const problems: ConfigProblem[] = []
  const given = {
    htpasswd: [config.authHtpasswdPath, config.authHtpasswdRealm],
    token: [config.authTokenRealm, config.authTokenService, config.authTokenIssuer, config.authTokenJwks, config.authTokenRootCertBundle],
    silly: [config.authSillyRealm, config.authSillyService],
  }
  const ways = Object.entries(given).filter(([, values]) => values.some((value) => value !== undefined)).map(([way]) => way)
  if (ways.length > 1) problems.push({ where: 'auth', reason: `has ${ways.join(' and ')}: one way at a time` })
  const needs = (name: string, value: string | undefined, way: string): void => {
    if (value === undefined && ways.includes(way)) problems.push({ where: `auth.${way}.${name}`, reason: 'is missing' })
  }
  needs('path', config.authHtpasswdPath, 'htpasswd')
  needs('realm', config.authTokenRealm, 'token')
  needs('service', config.authTokenService, 'token')
  needs('issuer', config.authTokenIssuer, 'token')
  needs('jwks or rootcertbundle', config.authTokenJwks ?? config.authTokenRootCertBundle, 'token')
  needs('realm', config.authSillyRealm, 'silly')
  needs('service', config.authSillyService, 'silly')
  if (ways.length === 0 && config.anonymousPull) {
    problems.push({ where: 'disco.anonymouspull', reason: 'needs a way to log in, or everybody may push: add auth.htpasswd or auth.token' })
  }
  if (problems.length > 0) throw new ConfigError(problems)
}
