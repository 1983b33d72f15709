import { checked, path, text, toggle } from '../kinds.ts'
import { fields, list, listOf } from '../structures.ts'
import type { OptionTable } from './option.ts'

const ALGORITHMS = [
  'EdDSA', 'HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512',
]
/** Of `auth.htpasswd` where it names none. */
export const DEFAULT_REALM = 'disco'
const ACTIONS = ['pull', 'push', 'delete', '*']

/** Who may do what where. */
export interface AccessRule {
  /** Names, with `*` for what has no `/`, `**` for anything, `<cid>` and `<digest>` for names that say what they hold. */
  readonly repository: readonly string[]
  /** Names, with `*` for anything; `anonymous` is everybody, whether they said who they are or not. */
  readonly users: readonly string[]
  readonly actions: readonly string[]
}

export interface AccessConfig {
  readonly authHtpasswdRealm: string | undefined
  /** File with names and bcrypt hashes. */
  readonly authHtpasswdPath: string | undefined
  /** URL that gives tokens. */
  readonly authTokenRealm: string | undefined
  readonly authTokenService: string | undefined
  readonly authTokenIssuer: string | undefined
  /** File, PEM. */
  readonly authTokenRootCertBundle: string | undefined
  /** File with a JSON Web Key Set. */
  readonly authTokenJwks: string | undefined
  readonly authTokenSigningAlgorithms: readonly string[]
  readonly authTokenAutoRedirect: boolean
  readonly authTokenAutoRedirectPath: string
  readonly authSillyRealm: string | undefined
  readonly authSillyService: string | undefined
  /** What none of them allows is denied; undefined where who is let in may do everything. */
  readonly access: readonly AccessRule[] | undefined
  readonly anonymousPull: boolean
}

export const ACCESS_OPTIONS: OptionTable<AccessConfig> = {
  authHtpasswdRealm: {
    yaml: 'auth.htpasswd.realm',
    kind: text,
    default: undefined,
    defaultText: DEFAULT_REALM,
    doc: 'Name of what a login is for, as clients show it.',
  },
  authHtpasswdPath: {
    yaml: 'auth.htpasswd.path',
    kind: path,
    default: undefined,
    defaultText: 'none',
    doc: 'File with names and passwords as `htpasswd -B` writes it; bcrypt alone counts.',
  },
  authTokenRealm: {
    yaml: 'auth.token.realm',
    kind: text,
    default: undefined,
    defaultText: 'none',
    doc: 'URL where clients get tokens.',
  },
  authTokenService: {
    yaml: 'auth.token.service',
    kind: text,
    default: undefined,
    defaultText: 'none',
    doc: 'Name of this registry in the tokens.',
  },
  authTokenIssuer: {
    yaml: 'auth.token.issuer',
    kind: text,
    default: undefined,
    defaultText: 'none',
    doc: 'Name of who issues the tokens, as it stands in them.',
  },
  authTokenRootCertBundle: {
    yaml: 'auth.token.rootcertbundle',
    kind: path,
    default: undefined,
    defaultText: 'none',
    doc: 'File with the certificates that tokens may be signed under, PEM.',
  },
  authTokenJwks: {
    yaml: 'auth.token.jwks',
    kind: path,
    default: undefined,
    defaultText: 'none',
    doc: 'File with the keys that tokens may be signed by, a JSON Web Key Set.',
  },
  authTokenSigningAlgorithms: {
    yaml: 'auth.token.signingalgorithms',
    kind: list('<algorithm>', (name) => {
      if (!ALGORITHMS.includes(name)) throw new Error(`'${name}' is none of ${ALGORITHMS.join(', ')}`)
    }),
    default: [],
    defaultText: 'all that suit the keys',
    doc: `Algorithms that tokens may be signed with: ${ALGORITHMS.join(', ')}.`,
  },
  authTokenAutoRedirect: {
    yaml: 'auth.token.autoredirect',
    kind: toggle,
    default: false,
    doc: 'Send clients for a token to the host that they asked, below `autoredirectpath`, in place of `realm`.',
  },
  authTokenAutoRedirectPath: {
    yaml: 'auth.token.autoredirectpath',
    kind: checked('<path>', (value) => {
      if (!/^\/[^\s?#]*$/.test(value)) throw new Error(`'${value}' is not a path like /auth/token`)
    }),
    default: '/auth/token',
    doc: 'Where on the same host, with `autoredirect`.',
  },
  authSillyRealm: {
    yaml: 'auth.silly.realm',
    kind: text,
    default: undefined,
    defaultText: 'none',
    doc: 'For tests: any `Authorization` header is enough. This stands in the challenge.',
  },
  authSillyService: {
    yaml: 'auth.silly.service',
    kind: text,
    default: undefined,
    defaultText: 'none',
    doc: 'Stands in that challenge too.',
  },
  anonymousPull: {
    flag: 'anonymous-pull',
    env: 'DISCO_ANONYMOUS_PULL',
    yaml: 'disco.anonymouspull',
    kind: toggle,
    default: false,
    doc: 'Everybody may pull, and a login is needed only to push and to delete. Means something with `auth` alone.',
  },
  access: {
    yaml: 'access',
    // A key with nothing after it would be no rules, and so everything for who is let in.
    kind: { presence: true, ...listOf(fields<AccessRule>({
      repository: { kind: list('<glob>', checkRepository), doc: 'Repositories it is about: `*` is what has no `/`, `**` anything; `<cid>` and `<digest>` are the names that say what they hold, which are in no other pattern than `**`.' },
      users: { kind: list('<name>'), doc: 'Names, with `*` for anything: `*` alone is everybody who has said who they are, `anonymous` is everybody.' },
      actions: { kind: list('<pull|push|delete|*>', checkAction), doc: 'What they may do there.' },
    })) },
    default: undefined,
    defaultText: 'none: who is let in may do everything',
    doc: 'Who may do what where. With rules, what none of them allows is denied.',
  },
}

function checkRepository(pattern: string): void {
  if (!/^(?:<cid>|<digest>|[a-z0-9._/*-]+)$/.test(pattern)) {
    throw new Error(`'${pattern}' fits no repository: names have small letters, digits and . _ - /, and there are *, **, <cid> and <digest>`)
  }
}

function checkAction(action: string): void {
  if (!ACTIONS.includes(action)) throw new Error(`'${action}' is none of ${ACTIONS.join(', ')}`)
}

