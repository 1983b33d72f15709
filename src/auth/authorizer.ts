import type { AbortOptions } from '../oci/abort.ts'

/** Distribution's token specification, §Resource Actions; `*` is everything there is. */
export type Action = 'pull' | 'push' | 'delete' | '*'

/** What a request wants to do to one resource. */
export interface Scope {
  /** `registry` with the name `catalog` lists the repositories. */
  readonly type: 'repository' | 'registry'
  readonly name: string
  /** All of them are needed. */
  readonly actions: readonly Action[]
  /** Wanted, not needed, like a mount's source: a challenge names it, nothing is refused for want of it. */
  readonly optional?: boolean
}

/** What a request brings to prove who asks. */
export interface Claim {
  /** The header `Authorization`, as it came. Never to be logged. */
  readonly authorization: string | undefined
  /** Address of the client, for those who count its failures. */
  readonly address: string
  /** `https://registry.example:1970`, as the client wrote it: where a challenge may send it back to. */
  readonly origin: string
}

/** Who asks. */
export interface Identity {
  /** Undefined for somebody who has not said. */
  readonly user: string | undefined
  /** Whether it may pull from a repository: what a mount may look at. */
  mayPull(repository: string): boolean
}

/** Whether a request may do what it wants. Asked before anything else happens. */
export interface Authorizer {
  /**
   * @param scopes none: whether the client may talk to the registry at all, as `GET /v2/` asks
   * @throws RegistryError UNAUTHORIZED with the header `WWW-Authenticate`; DENIED for somebody who is known and may not;
   *   TOOMANYREQUESTS with `Retry-After` after too many failures; UNAVAILABLE when it can't be told now
   */
  authorize(claim: Claim, scopes: readonly Scope[], options?: AbortOptions): Promise<Identity>
}

/** Somebody in a registry that asks nobody. */
export const ANYONE: Identity = { user: undefined, mayPull: () => true }
