import { isDeepStrictEqual } from 'node:util'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import type { KuboNode } from '../nodes/node.ts'

/** Milliseconds for an answer. */
const TIMEOUT = 5000

/** Whether the nodes know the pinning services that are to be used: what one lacks is told once, and again when it lacks others. */
export class KnownServices {
  readonly #nodes: readonly KuboNode[]
  readonly #services: readonly string[]
  readonly #log: Logger
  readonly #told = new Map<KuboNode, readonly string[]>()

  constructor(nodes: readonly KuboNode[], services: readonly string[], log: Logger) {
    this.#nodes = nodes
    this.#services = services
    this.#log = log
  }

  /** Asks each that is there. Never rejects: who is not is told of elsewhere. */
  async look(options: AbortOptions = {}): Promise<void> {
    await Promise.all(this.#nodes.map((node) => this.#ask(node, options).catch(() => undefined)))
  }

  async #ask(node: KuboNode, { signal }: AbortOptions): Promise<void> {
    const limit = AbortSignal.timeout(TIMEOUT)
    type Services = { RemoteServices?: readonly { Service: string }[] | null }
    const answer = await node.rpc.json<Services>('pin/remote/service/ls', {}, { signal: signal === undefined ? limit : AbortSignal.any([signal, limit]) })
    const known = answer.RemoteServices?.map(({ Service }) => Service) ?? []
    const unknown = this.#services.filter((service) => !known.includes(service))
    const before = this.#told.get(node) ?? []
    this.#told.set(node, unknown)
    if (unknown.length > 0 && !isDeepStrictEqual(unknown, before)) this.#log.warn({ node: node.name, unknown, known }, 'an IPFS node does not know a pinning service of disco.pinning: ipfs pin remote service add')
  }
}
