import { ANYONE, type Authorizer, type Claim, type Identity, type Scope } from '../auth/authorizer.ts'
import { isCid } from '../global/names.ts'
import { RegistryError } from '../oci/errors.ts'
import { blobTooLarge } from '../registry/limits.ts'
import type { Registry } from '../registry/registry.ts'
import type { SeenRequest } from '../telemetry/request-observer.ts'
import type { Answer } from './answer.ts'
import type { Client } from './client.ts'
import { countedAs, type ClientLimits, type Leave } from './client-limits.ts'
import { handlerOf, type ApiPolicy } from './dispatch.ts'
import { nameOfContent } from './gateway-request.ts'
import type { Gateway } from './gateway.ts'
import type { HttpRequest } from './message.ts'
import type { Prefix } from './prefix.ts'
import type { RequestBody } from './request-body.ts'
import { HANDLER_NAMES, parseRoute, type Route } from './routes.ts'
import { scopesOf } from './scopes.ts'

/** Answers what is no part of the registry: health, tokens. Lets in whom it likes. */
export type Service = (request: HttpRequest, signal: AbortSignal, body: RequestBody, client: Client) => Promise<Answer>

export interface ReceptionParts {
  readonly registry: Registry
  /** The registry as one request sees it, where somebody wants to hear what each one does. @default `registry` for all */
  readonly registryFor?: ((asker: Asker) => Registry) | undefined
  readonly policy?: ApiPolicy | undefined
  /** @default nobody is asked */
  readonly authorizer?: Authorizer | undefined
  /** @default nobody is counted */
  readonly limits?: ClientLimits | undefined
  /** Bytes of one blob that is pushed; 0 is any number. @default 0 */
  readonly blobSize?: number | undefined
  /** The path that all of it is below; services are found above it too. @default none */
  readonly prefix?: Prefix | undefined
  /** Answers `/ipfs/…`. */
  readonly gateway?: Gateway | undefined
  /** By their path. */
  readonly services?: ReadonlyMap<string, Service> | undefined
  /** The same, for those who are never counted. */
  readonly health?: ReadonlyMap<string, Service> | undefined
  /** Asked for what a client may have: gives the answer of another process, for what only that one can answer. */
  readonly elsewhere?: ((route: Route, request: HttpRequest, asker: Asker, signal: AbortSignal) => Promise<Answer | undefined>) | undefined
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
  /** Told what the request is for and who asks. */
  readonly seen: Pick<SeenRequest, 'handler' | 'user'>
  readonly request: HttpRequest
  readonly body: RequestBody
  readonly client: Client
  /** Called when the answer has left. */
  readonly leaving: Leave[]
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
    const { request, client } = visit
    const { prefix } = this.#parts
    const service = this.#service(visit)
    if (service !== undefined) return await service
    if (prefix !== undefined) request.url = prefix.without(request.url ?? '') ?? ''
    const below = prefix && this.#service(visit)
    if (below !== undefined) return await below
    this.#enter(visit, countedAs(undefined, client.address))
    const { url = '' } = request
    const path = pathOf(url)
    if (this.#parts.gateway !== undefined && path.startsWith('/ipfs/')) return await this.#block(visit, path, this.#parts.gateway)
    const route = parseRoute(path)
    // Who may not even ask learns nothing, not even what there is not.
    if (route === undefined && path.startsWith('/v2/')) await this.#authorize(visit, [])
    if (route === undefined) throw new RegistryError('UNSUPPORTED', 'no such endpoint', { status: 404 })
    return await this.#registry(visit, route, url.slice(path.length + 1))
  }

  #service(visit: Visit): Promise<Answer> | undefined {
    const { request, seen, signal, body, client } = visit
    const path = pathOf(request.url)
    const { health, services } = this.#parts
    const probe = health?.get(path)
    const service = probe ?? services?.get(path)
    if (service === undefined) return undefined
    seen.handler = path.slice(1)
    if (probe === undefined) this.#enter(visit, countedAs(undefined, client.address))
    return service(request, signal, body, client)
  }

  async #registry(visit: Visit, route: Route, search: string): Promise<Answer> {
    const { id, seen, request, body, client, signal } = visit
    seen.handler = HANDLER_NAMES[route.resource]
    const { elsewhere, policy, registryFor } = this.#parts
    const { method = '', headers } = request
    const { name, reference } = route
    const identity = await this.#authorize(visit, scopesOf(method, route, search))
    const handler = handlerOf(route.resource, method, policy)
    const done = this.#count(visit, route, identity)
    try {
      const asker: Asker = { id, method, client, identity }
      const answered = elsewhere && await elsewhere(route, request, asker, signal)
      if (answered !== undefined) return answered
      const registry = registryFor?.(asker) ?? this.#parts.registry
      return await handler({ registry, name, reference, search, headers, body, client, identity, signal })
    } finally {
      done?.()
    }
  }

  /** Who may pull a repository of this name may have the block: rules for CIDs hold for both. */
  async #block(visit: Visit, path: string, gateway: Gateway): Promise<Answer> {
    visit.seen.handler = 'gateway'
    await this.#authorize(visit, [{ type: 'repository', name: nameOfContent(path), actions: ['pull'] }])
    const answer = await gateway(visit.request, visit.signal)
    // RFC 9111 §3.5: a shared cache keeps an answer to `Authorization` where `public` allows it, and would give it to everybody.
    const kept = answer.headers?.['Cache-Control']
    if (visit.request.headers.authorization === undefined || typeof kept !== 'string') return answer
    return { ...answer, headers: { ...answer.headers, 'Cache-Control': kept.replace('public', 'private') } }
  }

  async #authorize(visit: Visit, scopes: readonly Scope[]): Promise<Identity> {
    const { authorizer } = this.#parts
    const { request, client, seen, signal } = visit
    // Another process may have asked.
    if (authorizer === undefined) return seen.user === undefined ? ANYONE : { ...ANYONE, user: seen.user }
    const identity = await authorizer.authorize(claimOf(request, client), scopes, { signal })
    seen.user = identity.user
    if (identity.user !== undefined) this.#enter(visit, countedAs(identity.user, client.address))
    return identity
  }

  #enter({ leaving }: Visit, client: string): void {
    const leave = this.#parts.limits?.enter(client)
    if (leave !== undefined) leaving.push(leave)
  }

  /** What costs more than other requests, for as long as its answer is not known. */
  #count({ request, body, client: { address } }: Visit, { resource, name }: Route, { user }: Identity): Leave | undefined {
    const { limits, blobSize = 0 } = this.#parts
    const isUpload = (resource === 'upload' || resource === 'uploads') && body.length !== 0
    if (isUpload && blobSize > 0 && body.length !== undefined && body.length > blobSize) throw blobTooLarge(blobSize)
    if (limits === undefined) return undefined
    if (isUpload) return limits.upload(countedAs(user, address))
    const isImage = (request.method === 'GET' || request.method === 'HEAD') && isCid(name)
    return isImage ? limits.image(countedAs(user, address), name) : undefined
  }
}

/** What a request brings to prove who asks. */
export function claimOf({ headers }: HttpRequest, { address, origin }: Client): Claim {
  return { authorization: headers.authorization, address, origin }
}

function pathOf(url = ''): string {
  const mark = url.indexOf('?')
  return mark === -1 ? url : url.slice(0, mark)
}
