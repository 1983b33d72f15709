import type { AbortOptions } from '../oci/abort.ts'
import type { Authorizer, Claim, Identity, Scope } from './authorizer.ts'

/** How long a decision holds for the same words from the same address, in milliseconds: as long as a file may go unread. */
const HOLDS = 1_000
const MOST = 1_000

/** Who was let in a moment ago is let in again for the same thing: a push or a pull asks for one scope dozens of times a second. */
export class RecentDecisions implements Authorizer {
  readonly #authorizer: Authorizer
  #decided = new Map<string, Promise<Identity>>()
  #since = 0

  constructor(authorizer: Authorizer) {
    this.#authorizer = authorizer
  }

  authorize(claim: Claim, scopes: readonly Scope[], options?: AbortOptions): Promise<Identity> {
    const [scope] = scopes
    if (scope === undefined || scopes.length > 1) return this.#authorizer.authorize(claim, scopes, options)
    const now = performance.now()
    if (now - this.#since > HOLDS || this.#decided.size >= MOST) {
      this.#decided = new Map()
      this.#since = now
    }
    // A name may have anything in it, so it comes last; no header has a NUL.
    const key = `${claim.authorization ?? ''}\0${claim.address}\0${scope.actions.join()}\0${scope.type}\0${scope.name}`
    return this.#decided.get(key) ?? this.#decide(key, claim, scopes, options)
  }

  /** What is refused is decided each time. */
  async #decide(key: string, claim: Claim, scopes: readonly Scope[], options?: AbortOptions): Promise<Identity> {
    const decided = this.#decided
    const identity = await this.#authorizer.authorize(claim, scopes, options)
    decided.set(key, Promise.resolve(identity))
    return identity
  }
}
