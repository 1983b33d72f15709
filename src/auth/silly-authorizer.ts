import type { Authorizer, Claim, Identity, Scope } from './authorizer.ts'
import type { Challenger } from './challenge.ts'
import { decide, type Bearer } from './decide.ts'
import type { AccessPolicy } from './rules.ts'

export interface SillyAuthorizerParts {
  readonly policy: AccessPolicy
  readonly challenger: Challenger
}

const SILLY: Bearer = { known: true, user: 'silly', carries: () => true }

/** Distribution's `silly`: whatever stands in the header `Authorization` will do. For tests alone. */
export class SillyAuthorizer implements Authorizer {
  readonly #parts: SillyAuthorizerParts

  constructor(parts: SillyAuthorizerParts) {
    this.#parts = parts
  }

  async authorize(claim: Claim, scopes: readonly Scope[]): Promise<Identity> {
    const brought = claim.authorization !== undefined && claim.authorization !== ''
    return decide(this.#parts, brought ? SILLY : undefined, claim, scopes)
  }
}
