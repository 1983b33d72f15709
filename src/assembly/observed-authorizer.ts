import type { Authorizer, Identity } from '../auth/authorizer.ts'
import { RegistryError, type ErrorCode } from '../oci/errors.ts'
import type { Authentication } from '../telemetry/metrics.ts'

const OUTCOMES: Partial<Record<ErrorCode, Authentication>> = { DENIED: 'denied', TOOMANYREQUESTS: 'throttled' }

/** An authorizer whose answers are counted. */
export function observedAuthorizer(authorizer: Authorizer, count: (outcome: Authentication) => void): Authorizer {
  const letIn = ({ user }: Identity): void => count(user === undefined ? 'anonymous' : 'user')
  return {
    authorize(claim, scopes, options) {
      const authorizing = authorizer.authorize(claim, scopes, options)
      // Beside it, so that nobody waits longer.
      authorizing.then(letIn, (error: unknown) => {
        const code = error instanceof RegistryError ? error.code : 'UNKNOWN'
        const unproven = claim.authorization === undefined ? 'challenged' : 'rejected'
        count(code === 'UNAUTHORIZED' ? unproven : (OUTCOMES[code] ?? 'failed'))
      })
      return authorizing
    },
  }
}
