import type { AbortOptions } from '../../../storage/object-store.ts'
import { Rounds } from '../../../storage/rounds.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import type { OuterNode } from '../../node.ts'
import { KuboDownError, KuboUnfitError } from './errors.ts'
import type { KuboNode } from './node.ts'
import { printable } from './refusal.ts'

/** Milliseconds between two looks. */
const INTERVAL = 10_000
/** … and for an answer. */
const TIMEOUT = 5000
/** In base58, as Kubo writes it. */
const PEER_ID = /^[1-9A-HJ-NP-Za-km-z]{40,200}$/

/** Which of the nodes are there: said once when one goes, and when it is back. */
export class NodeWatch {
  readonly #nodes: readonly KuboNode[]
  readonly #log: Logger
  readonly #rounds = new Rounds((signal) => this.#round(signal))
  readonly #states = new Map<KuboNode, OuterNode>()

  constructor(nodes: readonly KuboNode[], log: Logger) {
    this.#nodes = nodes
    this.#log = log
  }

  /** As they were seen last, in the order of the configuration. */
  get states(): readonly OuterNode[] {
    return this.#nodes.map((node) => this.#states.get(node) ?? { name: node.name, failure: 'not looked at yet' })
  }

  /** Looks at each. @throws KuboUnfitError for what is no Kubo that Disco can work with; one that is down is none of that */
  async check(options: AbortOptions = {}): Promise<void> {
    const seen = await Promise.all(this.#nodes.map((node) => this.#look(node, options)))
    const unfit = seen.flatMap(({ error }) => (error instanceof KuboUnfitError ? [error.message] : []))
    if (unfit.length > 0) throw new KuboUnfitError(unfit.join('\n'))
  }

  /** Tells of those that are down already, and from now on of every change. */
  start(): void {
    for (const { name, failure } of this.states) if (failure !== undefined) this.#log.error({ node: name, reason: failure }, DOWN)
    this.#rounds.start(INTERVAL)
  }

  stop(): Promise<void> {
    return this.#rounds.stop()
  }

  async #round(signal: AbortSignal): Promise<number> {
    for (const node of this.#nodes) {
      const before = this.#states.get(node)
      const { state } = await this.#look(node, { signal })
      if (signal.aborted) break
      const { name, failure, version } = state
      if (failure === undefined && before?.failure !== undefined) this.#log.info({ node: name, version }, 'an IPFS node is back')
      else if (failure !== undefined && failure !== before?.failure) this.#log.error({ node: name, reason: failure }, DOWN)
    }
    return INTERVAL
  }

  async #look(node: KuboNode, { signal }: AbortOptions): Promise<{ readonly state: OuterNode; readonly error?: unknown }> {
    const { name } = node
    const limit = AbortSignal.timeout(TIMEOUT)
    try {
      const options = { signal: signal === undefined ? limit : AbortSignal.any([signal, limit]) }
      const { peerId } = await node.id(options)
      // The check of every call is of the version alone.
      if (!PEER_ID.test(peerId)) throw new KuboUnfitError(`${name} is no Kubo: it does not say its peer id`)
      const state = { name, peerId, version: await node.version(options) }
      this.#states.set(node, state)
      return { state }
    } catch (error) {
      signal?.throwIfAborted()
      const failure = limit.aborted ? `no answer within ${TIMEOUT / 1000} s` : printable(error instanceof KuboDownError ? error.message : String(error))
      const state = { name, failure }
      this.#states.set(node, state)
      return { state, error }
    }
  }
}

const DOWN = 'an IPFS node is not to be used: what others have of its images is served from there, and what is pushed to it fails until it is back'
