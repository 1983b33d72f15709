import type { Authorizer } from '../auth/authorizer.ts'
import { RegistryError, type ErrorCode } from '../oci/errors.ts'
import type { Authentication } from '../telemetry/metrics.ts'

const OUTCOMES: Partial<Record<ErrorCode, Authentication>> = { DENIED: 'denied', TOOMANYREQUESTS: 'throttled' }

/** An authorizer whose answers are counted. */
export function observedAuthorizer(authorizer: Authorizer, count: (outcome: Authentication) => void): Authorizer {
  return {
    async authorize(claim, scopes, options) {
      try {
        const identity = await authorizer.authorize(claim, scopes, options)
        count(identity.user === undefined ? 'anonymous' : 'user')
        return identity
      } catch (error) {
        const code = error instanceof RegistryError ? error.code : 'UNKNOWN'
        const unproven = claim.authorization === undefined ? 'challenged' : 'rejected'
        count(code === 'UNAUTHORIZED' ? unproven : (OUTCOMES[code] ?? 'failed'))
        throw error
      }
    },
  }
}
