import { RegistryError } from '../oci/errors.ts'
import type { Authorizer, Claim, Identity, Scope } from './authorizer.ts'
import { NOBODY_IN_PARTICULAR, type AccessPolicy } from './rules.ts'

/** Rules without users: nobody can say who he is, so a challenge would lead nowhere. */
export class OpenAuthorizer implements Authorizer {
  readonly #policy: AccessPolicy

  constructor(policy: AccessPolicy) {
    this.#policy = policy
  }

  async authorize(_claim: Claim, scopes: readonly Scope[]): Promise<Identity> {
    const allows = (scope: Scope): boolean => this.#policy.allows(NOBODY_IN_PARTICULAR, scope)
    if (!scopes.every((scope) => scope.optional === true || allows(scope))) throw new RegistryError('DENIED')
    return { user: undefined, mayPull: (name) => allows({ type: 'repository', name, actions: ['pull'] }) }
  }
}
