import { ANYONE, type Authorizer, type Claim, type Identity, type Scope } from '../auth/authorizer.ts'
import { RegistryError } from '../oci/errors.ts'
import type { Registry } from '../registry/registry.ts'
import type { Answer } from './answer.ts'
import { clientOf, type Client } from './client.ts'
import { handlerOf, type ApiPolicy } from './dispatch.ts'
import type { Gateway } from './gateway.ts'
import type { HttpRequest } from './message.ts'
import type { RequestBody } from './request-body.ts'
import { parseRoute, type Route } from './routes.ts'
import { scopesOf } from './scopes.ts'

/** Answers what is no part of the registry: health, tokens. */
export type Service = (request: HttpRequest, signal: AbortSignal, body: RequestBody) => Promise<Answer>

export interface ReceptionParts {
  readonly registry: Registry
  /** The registry as one request sees it, where somebody wants to hear what each one does. @default `registry` for all */
  readonly registryFor?: ((asker: Asker) => Registry) | undefined
  readonly policy?: ApiPolicy | undefined
  /** @default nobody is asked */
  readonly authorizer?: Authorizer | undefined
  /** Answers `/ipfs/…`. */
  readonly gateway?: Gateway | undefined
  /** By their path. They let in whom they like. */
  readonly services?: ReadonlyMap<string, Service> | undefined
  /** Asked for what a client may have: gives the answer of another process, for what only that one can answer. */
  readonly elsewhere?: ((route: Route, request: HttpRequest, signal: AbortSignal) => Promise<Answer | undefined>) | undefined
}

/** On whose behalf a registry is asked. */
export interface Asker {
  /** Of the request, as in the log. */
  readonly id: string
  readonly method: string
  readonly client: Client
  readonly identity: Identity
}

/** A request with what was made of it. */
export interface Visit {
  /** As in the log and in `X-Request-Id`. */
  readonly id: string
  readonly request: HttpRequest
  readonly body: RequestBody
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal
}

/** The way of a request: what it is for, whether it may, who does it. */
export class Reception {
  readonly #parts: ReceptionParts

  constructor(parts: ReceptionParts) {
    this.#parts = parts
  }

  /** @throws RegistryError, GatewayError and whatever went wrong below */
  async answer(visit: Visit): Promise<Answer> {
    const { request, signal } = visit
    const { url = '' } = request
    const mark = url.indexOf('?')
    const path = mark === -1 ? url : url.slice(0, mark)
    const service = this.#parts.services?.get(path)
    if (service !== undefined) return await service(request, signal, visit.body)
    if (this.#parts.gateway !== undefined && path.startsWith('/ipfs/')) return await this.#block(visit, path, this.#parts.gateway)
    const route = parseRoute(path)
    // Who may not even ask learns nothing, not even what there is not.
    if (route === undefined && path.startsWith('/v2/')) await this.#authorize(visit, [])
    if (route === undefined) throw new RegistryError('UNSUPPORTED', 'no such endpoint', { status: 404 })
    return await this.#registry(visit, route, mark === -1 ? '' : url.slice(mark + 1))
  }

  async #registry(visit: Visit, route: Route, search: string): Promise<Answer> {
    const { id, request, body, signal } = visit
    const { elsewhere, policy, registryFor } = this.#parts
    const { method = '', headers } = request
    const { name, reference } = route
    const identity = await this.#authorize(visit, scopesOf(method, route, search))
    const handler = handlerOf(route.resource, method, policy)
    const client = clientOf(request)
    const answered = await elsewhere?.(route, request, signal)
    if (answered !== undefined) return answered
    const registry = registryFor?.({ id, method, client, identity }) ?? this.#parts.registry
    return await handler({ registry, name, reference, search, headers, body, client, identity, signal })
  }

  /** Who may pull a repository of this name may have the block: rules for CIDs hold for both. */
  async #block(visit: Visit, path: string, gateway: Gateway): Promise<Answer> {
    await this.#authorize(visit, [{ type: 'repository', name: path.split('/', 3)[2] ?? '', actions: ['pull'] }])
    return await gateway(visit.request, visit.signal)
  }

  async #authorize({ request, signal }: Visit, scopes: readonly Scope[]): Promise<Identity> {
    const { authorizer } = this.#parts
    if (authorizer === undefined) return ANYONE
    return await authorizer.authorize(claimOf(request), scopes, { signal })
  }
}

/** What a request brings to prove who asks. */
export function claimOf(request: HttpRequest): Claim {
  const { address, origin } = clientOf(request)
  return { authorization: request.headers.authorization, address, origin }
}
