import type { Scope } from './authorizer.ts'

/** Allows something; what no rule allows is refused. */
export interface AccessRule {
  /**
   * Names, with `*` for what has no `/` and `**` for anything; but of names that say what they hold no part: those are
   * `<cid>`, `<digest>`, written out, or in the `**` that is everything.
   */
  readonly repository: readonly string[]
  /** Names, with `*` for anything; `anonymous` is everybody, whether he said who he is or not. */
  readonly users: readonly string[]
  /** `pull`, `push`, `delete`, or `*` for all of them. */
  readonly actions: readonly string[]
}

/** Whoever a request comes from. */
export interface Asker {
  /** Has shown who he is, or that he was given something. */
  readonly known: boolean
  readonly user: string | undefined
}

type Matcher = (name: string) => boolean

interface CompiledRule {
  readonly repository: Matcher
  readonly everywhere: boolean
  readonly user: Matcher
  readonly anonymous: boolean
  readonly actions: ReadonlySet<string>
}

export interface AccessPolicyOptions {
  /** Undefined: who is known may do everything. */
  readonly rules?: readonly AccessRule[] | undefined
  /** Everybody may pull everything. */
  readonly anonymousPull?: boolean | undefined
}

export const NOBODY_IN_PARTICULAR: Asker = { known: false, user: undefined }

/** No repository's name is longer. */
const MAX_NAME_LENGTH = 255
const EVERYBODY_PULLS: AccessRule = { repository: ['**'], users: ['anonymous'], actions: ['pull'] }
const KNOWN_DO_ALL: AccessRule = { repository: ['**'], users: ['*'], actions: ['*'] }

/** What the configuration allows to whom: all that any of the matching rules allows. */
export class AccessPolicy {
  /** Whether there is anything that somebody may do without saying who he is. */
  readonly admitsAnonymous: boolean
  readonly #rules: readonly CompiledRule[]

  constructor({ rules = [KNOWN_DO_ALL], anonymousPull = false }: AccessPolicyOptions) {
    this.#rules = [...rules, ...(anonymousPull ? [EVERYBODY_PULLS] : [])].map(compile)
    this.admitsAnonymous = this.#rules.some(({ anonymous }) => anonymous)
  }

  allows(asker: Asker, scope: Scope): boolean {
    const rules = this.#rules.filter((rule) => appliesTo(rule, asker))
    if (scope.type === 'registry') return rules.some((rule) => allowsCatalog(rule, asker))
    const matching = rules.filter(({ everywhere, repository }) => everywhere || (scope.name.length <= MAX_NAME_LENGTH && repository(scope.name)))
    return scope.actions.every((action) => matching.some(({ actions }) => actions.has('*') || actions.has(action)))
  }
}

function appliesTo({ anonymous, user }: CompiledRule, asker: Asker): boolean {
  return anonymous || (asker.known && user(asker.user ?? ''))
}

/** It names every repository: so it is for those who may pull every one of them, and have said who they are. */
function allowsCatalog({ everywhere, actions }: CompiledRule, { known }: Asker): boolean {
  return everywhere && (actions.has('*') || (known && actions.has('pull')))
}

function compile({ repository, users, actions }: AccessRule): CompiledRule {
  return {
    repository: anyOf(repository.map(repositoryMatcher)),
    everywhere: repository.includes('**'),
    user: anyOf(users.filter((user) => user !== 'anonymous').map((user) => glob(user))),
    anonymous: users.includes('anonymous'),
    actions: new Set(actions),
  }
}

/** CIDv1 in base32: images are bafy…, the pieces that other registries fetch of them also bafk… */
const CID = /^baf[yk][a-z2-7]{55}$/
const DIGEST = /^(?:[0-9a-f]{64}|[0-9a-f]{128})$/
/** Who was given `b*` was not given every image whose CID begins so, whatever it was pushed as. */
const SAYS_WHAT_IT_HOLDS = /^(?:ba[a-z2-7]{56,}|[0-9a-f]{64}|[0-9a-f]{128})$/

function repositoryMatcher(pattern: string): Matcher {
  if (pattern === '<cid>') return (name) => CID.test(name)
  if (pattern === '<digest>') return (name) => DIGEST.test(name)
  const fits = glob(pattern, '/')
  return pattern.includes('*') ? (name) => !SAYS_WHAT_IT_HOLDS.test(name) && fits(name) : fits
}

/**
 * By all ways at once: a RegExp tries one after the other, which with four stars takes seconds for a name of 255 letters.
 *
 * @param border what a single star does not pass
 */
function glob(pattern: string, border?: string): Matcher {
  const parts = pattern.split(/(\*+)/).filter((part) => part !== '')
  return (name) => {
    let reached = new Set([0])
    for (const part of parts) {
      const next = new Set<number>()
      for (const at of reached) {
        if (!part.startsWith('*')) {
          if (name.startsWith(part, at)) next.add(at + part.length)
          continue
        }
        for (let i = at; i <= name.length && !next.has(i); i++) {
          next.add(i)
          if (part === '*' && name[i] === border) break
        }
      }
      reached = next
    }
    return reached.has(name.length)
  }
}

function anyOf(matchers: readonly Matcher[]): Matcher {
  return (name) => matchers.some((matches) => matches(name))
}
