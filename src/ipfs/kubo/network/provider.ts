import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import { Provider, type ProvideTimes } from '../../embedded/provider.ts'
import { KuboDownError, KuboRefusedError } from '../nodes/errors.ts'
import type { KuboNode } from '../nodes/node.ts'
import type { KuboNodes } from '../nodes/nodes.ts'

export interface KuboProviderParts {
  readonly nodes: KuboNodes
  readonly queue: ProvideTimes
  readonly log: Logger
  /** Milliseconds between two looks into the queue. @default 10000 */
  readonly interval?: number | undefined
}

/** Provides by hand what the nodes do not provide by themselves: where their `Provide.Strategy` leaves MFS out. */
export class KuboProvider {
  readonly #nodes: KuboNodes
  readonly #provider: Provider

  constructor({ nodes, queue, log, interval }: KuboProviderParts) {
    this.#nodes = nodes
    const provide = (root: CID, options: AbortOptions): Promise<void> => this.#provide(root, options)
    this.#provider = new Provider({ queue, provide, online: () => true, log, ...(interval !== undefined && { interval }) })
  }

  start(): void {
    this.#provider.start()
  }

  async stop(): Promise<void> {
    await this.#provider.stop()
  }

  /** By every node that has it. @throws where none has, or one that may have it can't be asked */
  async #provide(root: CID, options: AbortOptions): Promise<void> {
    const having = await Promise.all(this.#nodes.all.map((node) => this.#provideAt(node, root, options)))
    if (!having.includes(true)) throw new KuboDownError(`no IPFS node has ${root}`)
  }

  /** Whether the node has it. */
  async #provideAt(node: KuboNode, root: CID, options: AbortOptions): Promise<boolean> {
    if (!(await node.hasBlock(root, options))) return false
    if (await isByHand(node, options)) await node.provide(root, options)
    return true
  }
}

/** Whether the node leaves it to us, and may be told to. */
async function isByHand(node: KuboNode, options: AbortOptions): Promise<boolean> {
  const { Enabled: enabled = true, Strategy: strategy = 'all' } = await provideOptions(node, options)
  // "all" is every block; "pinned+mfs+unique" has its parts in any order.
  return enabled !== false && !['all', '', 'mfs'].some((part) => (strategy ?? 'all').split('+').includes(part))
}

async function provideOptions(node: KuboNode, options: AbortOptions): Promise<{ readonly Enabled?: boolean | null; readonly Strategy?: string | null }> {
  try {
    return (await node.rpc.json<{ Value: { Enabled?: boolean | null; Strategy?: string | null } | null }>('config', { arg: 'Provide' }, options)).Value ?? {}
  } catch (error) {
    // A configuration that says nothing of it.
    if (error instanceof KuboRefusedError && error.reason.includes('not found')) return {}
    throw error
  }
}
