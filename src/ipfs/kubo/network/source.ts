import { setTimeout as sleep } from 'node:timers/promises'
import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { BlockSource } from '../../block-source.ts'
import { ContentUnavailableError } from '../../errors.ts'
import { verifyBlock } from '../../unixfs/block.ts'
import { KuboDownError, KuboRefusedError } from '../nodes/errors.ts'
import type { KuboNode } from '../nodes/node.ts'

export interface KuboSourceParts {
  /** The first is asked at once, the others when it is silent or down: what one of them has got, the others get from it. */
  readonly nodes: readonly KuboNode[]
  /** Milliseconds that a block may take. */
  readonly timeout: number
  /** Who of those that were given a node can't reach, each with the reason. */
  readonly unreachable: (node: KuboNode) => readonly string[]
}

/** Milliseconds of silence after which the other nodes are asked as well. */
export const HEDGE = 2000

/** Blocks that a node has or fetches: small ones, of which there are few. */
export class KuboSource implements BlockSource {
  readonly #parts: KuboSourceParts

  constructor(parts: KuboSourceParts) {
    this.#parts = parts
  }

  async fetch(cid: CID, { signal }: AbortOptions = {}): Promise<Uint8Array> {
    const { nodes, timeout } = this.#parts
    const limit = AbortSignal.timeout(timeout)
    const stop = new AbortController()
    const options = { signal: AbortSignal.any([stop.signal, limit, ...(signal === undefined ? [] : [signal])]) }
    const [first, ...others] = nodes
    if (first === undefined) throw new RangeError('no IPFS node')
    const asked = blockOf(first, cid, options)
    try {
      return await Promise.any([asked, ...others.map(async (node) => {
        await silence(asked, options)
        return blockOf(node, cid, options)
      })])
    } catch (error) {
      signal?.throwIfAborted()
      if (limit.aborted) throw new ContentUnavailableError(`nobody gave block ${cid} within ${timeout} ms`, { failures: this.unanswered() })
      throw unavailable(error instanceof AggregateError ? error.errors[0] : error)
    } finally {
      stop.abort()
    }
  }

  unanswered(): readonly string[] {
    return [...new Set(this.#parts.nodes.flatMap((node) => this.#parts.unreachable(node)))]
  }

  async close(): Promise<void> {}
}

async function blockOf(node: KuboNode, cid: CID, options: AbortOptions): Promise<Uint8Array> {
  const bytes = await node.block(cid, options)
  if (bytes === undefined) throw new ContentUnavailableError(`${node.name} has no block ${cid}`)
  verifyBlock(cid, bytes)
  return bytes
}

/** Resolves when that long nothing came of it, or it failed. */
async function silence(asked: Promise<unknown>, { signal }: AbortOptions): Promise<void> {
  const over = new AbortController()
  const timer = sleep(HEDGE, undefined, { ref: false, signal: signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]) })
  const failed = Promise.withResolvers<void>()
  asked.catch(() => failed.resolve())
  try {
    await Promise.race([timer, failed.promise])
  } finally {
    over.abort()
    timer.catch(() => {})
  }
}

/** What went wrong at a node, for who wants an image: somebody may well have it. */
export function unavailable(error: unknown): unknown {
  if (!(error instanceof KuboDownError || error instanceof KuboRefusedError)) return error
  return new ContentUnavailableError('an IPFS node does not answer as it should', { cause: error, failures: [error.message] })
}
