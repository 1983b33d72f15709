import { RegistryError } from '../oci/errors.ts'
import type { Claim, Identity, Scope } from './authorizer.ts'
import { unauthorized, type Challenger } from './challenge.ts'
import { NOBODY_IN_PARTICULAR, type AccessPolicy, type Asker } from './rules.ts'
import { formatScopes } from './scope-text.ts'

/** An asker with what he brought. */
export interface Bearer extends Asker {
  /** Whether what he brought is good for it: a token is for what it names. */
  carries(scope: Scope): boolean
}

export interface Rulings {
  readonly policy: AccessPolicy
  readonly challenger: Challenger
}

/**
 * Lets in, or tells why not. What everybody may do needs no token for it.
 *
 * @param bearer undefined for somebody who brought nothing
 * @throws RegistryError UNAUTHORIZED, DENIED
 */
export function decide({ policy, challenger }: Rulings, bearer: Bearer | undefined, claim: Claim, scopes: readonly Scope[]): Identity {
  const open = (scope: Scope): boolean => policy.allows(NOBODY_IN_PARTICULAR, scope)
  const mayPull = (name: string): boolean => {
    const scope: Scope = { type: 'repository', name, actions: ['pull'] }
    return open(scope) || (bearer !== undefined && policy.allows(bearer, scope) && bearer.carries(scope))
  }
  const needed = scopes.filter((scope) => scope.optional !== true)
  const closed = needed.filter((scope) => !open(scope))
  if (bearer === undefined) {
    if (closed.length > 0 || scopes.length === 0) throw unauthorized(challenger.challenge(claim.origin, scopes))
    return { user: undefined, mayPull }
  }
  if (bearer.known && !closed.every((scope) => policy.allows(bearer, scope))) {
    throw new RegistryError('DENIED', undefined, { detail: { needed: formatScopes(needed) } })
  }
  // A token of nobody in particular may be older than the rules: what they don't give to everybody, it doesn't either.
  if (!closed.every((scope) => bearer.known && bearer.carries(scope))) {
    throw unauthorized(challenger.challenge(claim.origin, scopes, 'insufficient_scope'))
  }
  return { user: bearer.user, mayPull }
}
