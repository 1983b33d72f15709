import type { Authorizer } from '../auth/authorizer.ts'
import { RegistryError, type ErrorCode } from '../oci/errors.ts'
import type { Authentication } from '../telemetry/metrics.ts'

const OUTCOMES: Partial<Record<ErrorCode, Authentication>> = { DENIED: 'denied', TOOMANYREQUESTS: 'throttled' }

/** An authorizer whose answers are counted. */
export function observedAuthorizer(authorizer: Authorizer, count: (outcome: Authentication) => void): Authorizer {
  return {
    authorize(claim, scopes, options) {
      const authorizing = authorizer.authorize(claim, scopes, options)
      // Beside it, so that nobody waits longer.
      authorizing.then(({ user }) => count(user === undefined ? 'anonymous' : 'user'), (error: unknown) => {
        const code = error instanceof RegistryError ? error.code : 'UNKNOWN'
        const unproven = claim.authorization === undefined ? 'challenged' : 'rejected'
        count(code === 'UNAUTHORIZED' ? unproven : (OUTCOMES[code] ?? 'failed'))
      })
      return authorizing
    },
  }
}
