import { ANYONE, type Authorizer, type Identity } from '../auth/authorizer.ts'
import { RegistryError } from '../oci/errors.ts'
import type { Registry } from '../registry/registry.ts'
import type { Answer } from './answer.ts'
import { clientOf, type Client } from './client.ts'
import { handlerOf } from './dispatch.ts'
import type { Gateway } from './gateway.ts'
import type { HttpRequest } from './message.ts'
import type { RequestBody } from './request-body.ts'
import { parseRoute, type Route } from './routes.ts'
import { scopesOf } from './scopes.ts'

/** Answers what is no part of the registry: health, tokens. */
export type Service = (request: HttpRequest, signal: AbortSignal) => Promise<Answer>

export interface ReceptionParts {
  readonly registry: Registry
  /** The registry as one request sees it, where somebody wants to hear what each one does. @default `registry` for all */
  readonly registryFor?: ((asker: Asker) => Registry) | undefined
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
    if (service !== undefined) return await service(request, signal)
    if (this.#parts.gateway !== undefined && path.startsWith('/ipfs/')) return await this.#block(visit, path, this.#parts.gateway)
    // The referrers API is not here yet: distribution-spec §Enabling the Referrers API has 404 for that.
    const route = parseRoute(path)
    if (route === undefined) throw new RegistryError('UNSUPPORTED', 'no such endpoint', { status: 404 })
    return await this.#registry(visit, route, mark === -1 ? '' : url.slice(mark + 1))
  }

  async #registry({ id, request, body, signal }: Visit, route: Route, search: string): Promise<Answer> {
    const { authorizer, elsewhere, registryFor } = this.#parts
    const { method = '', headers } = request
    const { name, reference } = route
    const handler = handlerOf(route.resource, method)
    const client = clientOf(request)
    const claim = { authorization: headers.authorization, address: client.address, origin: client.origin }
    const identity = authorizer === undefined ? ANYONE : await authorizer.authorize(claim, scopesOf(method, route, search), { signal })
    const answered = await elsewhere?.(route, request, signal)
    if (answered !== undefined) return answered
    const registry = registryFor?.({ id, method, client, identity }) ?? this.#parts.registry
    return await handler({ registry, name, reference, search, headers, body, client, identity, signal })
  }

  /** Who may pull a repository of this name may have the block: rules for CIDs hold for both. */
  async #block({ request, signal }: Visit, path: string, gateway: Gateway): Promise<Answer> {
    const { authorizer } = this.#parts
    if (authorizer !== undefined) {
      const { address, origin } = clientOf(request)
      const name = path.split('/', 3)[2] ?? ''
      await authorizer.authorize({ authorization: request.headers.authorization, address, origin }, [{ type: 'repository', name, actions: ['pull'] }], { signal })
    }
    return await gateway(request, signal)
  }
}
