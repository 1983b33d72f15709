import type { AbortOptions } from '../../../storage/object-store.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import type { KuboNode } from '../nodes/node.ts'

export interface KuboPeersParts {
  readonly nodes: readonly KuboNode[]
  /** Multiaddrs that all nodes shall be connected with. */
  readonly given: readonly string[]
  readonly log: Logger
  /** Milliseconds between two looks. @default 5000 */
  readonly interval?: number | undefined
}

interface Target {
  readonly name: string
  readonly peerId: string
  readonly addresses: readonly string[]
}

const INTERVAL = 5000
/** Milliseconds that connecting may take. */
const CONNECT_TIMEOUT = 15_000

/**
 * Keeps the nodes connected: with the peers that were given, and with each other, because what is written to one and
 * asked of another is copied by its CID.
 */
export class KuboPeers {
  readonly #parts: KuboPeersParts
  readonly #stopped = new AbortController()
  /** By node, those that it can't reach and why. */
  readonly #failures = new Map<KuboNode, Map<string, string>>()
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> = Promise.resolve()

  constructor(parts: KuboPeersParts) {
    this.#parts = parts
  }

  start(): void {
    this.#round = this.#look().finally(() => {
      if (!this.#stopped.signal.aborted) this.#timer = setTimeout(() => this.start(), this.#parts.interval ?? INTERVAL).unref()
    })
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#stopped.abort(new Error('the IPFS network was stopped'))
    await this.#round
  }

  /** Who of those that were given a node can't reach, each with the reason. */
  unreachable(node: KuboNode): readonly string[] {
    const failures = this.#failures.get(node)
    return this.#parts.given.flatMap((address) => failures?.get(address) ?? [])
  }

  async #look(): Promise<void> {
    const { nodes } = this.#parts
    const targets = await Promise.all(nodes.map((node) => this.#target(node)))
    await Promise.all(nodes.map(async (node, index) => {
      if (targets[index] === undefined) return
      // One of two is enough: a connection goes both ways.
      await this.#connect(node, [...this.#given(), ...targets.slice(index + 1).flatMap((target) => target ?? [])])
    }))
  }

  #given(): Target[] {
    return this.#parts.given.map((address) => ({ name: address, peerId: /\/p2p\/([^/]+)$/.exec(address)?.[1] ?? '', addresses: [address] }))
  }

  /** Undefined while it is down: that is told elsewhere. */
  async #target(node: KuboNode): Promise<Target | undefined> {
    try {
      return { name: node.name, ...await node.id(this.#limited()) }
    } catch {
      return undefined
    }
  }

  async #connect(node: KuboNode, targets: readonly Target[]): Promise<void> {
    if (targets.length === 0) return
    const failures = this.#failures.get(node) ?? new Map<string, string>()
    this.#failures.set(node, failures)
    try {
      const connected = await node.connectedPeers(this.#limited())
      await Promise.all(targets.map(async (target) => {
        const failure = connected.has(target.peerId) ? undefined : await this.#dial(node, target)
        if (failure === undefined) failures.delete(target.name)
        else failures.set(target.name, failure)
      }))
    } catch (err) {
      if (!this.#stopped.signal.aborted) this.#parts.log.debug({ err, node: node.name }, 'cannot ask a node whom it is connected with')
    }
  }

  /** Why it failed; undefined: it did not. */
  async #dial(node: KuboNode, { name, addresses }: Target): Promise<string | undefined> {
    try {
      await node.connect(addresses, this.#limited())
      return undefined
    } catch (err) {
      const { signal } = this.#stopped
      if (!signal.aborted && !this.#failures.get(node)?.has(name)) this.#parts.log.warn({ err, node: node.name, peer: name }, 'an IPFS node cannot be connected with a peer: it is tried again')
      return `${name}: ${err instanceof Error ? err.message : String(err)}`
    }
  }

  #limited(): AbortOptions {
    return { signal: AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(CONNECT_TIMEOUT)]) }
  }
}
