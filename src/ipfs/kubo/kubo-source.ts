import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../storage/object-store.ts'
import type { BlockSource } from '../block-source.ts'
import { ContentUnavailableError } from '../errors.ts'
import { verifyBlock } from '../unixfs/block.ts'
import { KuboDownError, KuboRefusedError } from './errors.ts'
import type { KuboNode } from './kubo-node.ts'

export interface KuboSourceParts {
  readonly node: KuboNode
  /** Milliseconds that a block may take. */
  readonly timeout: number
  /** Who of those that were given the node can't reach, each with the reason. */
  readonly unreachable: () => readonly string[]
}

/** Blocks that a node has or fetches: small ones, of which there are few. */
export class KuboSource implements BlockSource {
  readonly #parts: KuboSourceParts

  constructor(parts: KuboSourceParts) {
    this.#parts = parts
  }

  async fetch(cid: CID, { signal }: AbortOptions = {}): Promise<Uint8Array> {
    const { node, timeout, unreachable } = this.#parts
    const limit = AbortSignal.timeout(timeout)
    try {
      const bytes = await node.block(cid, { signal: signal === undefined ? limit : AbortSignal.any([signal, limit]) })
      if (bytes === undefined) throw new ContentUnavailableError(`${node.name} has no block ${cid}`)
      verifyBlock(cid, bytes)
      return bytes
    } catch (error) {
      signal?.throwIfAborted()
      if (limit.aborted) throw new ContentUnavailableError(`nobody gave block ${cid} within ${timeout} ms`, { failures: unreachable() })
      throw unavailable(error)
    }
  }

  unanswered(): readonly string[] {
    return this.#parts.unreachable()
  }

  async close(): Promise<void> {}
}

/** What went wrong at a node, for who wants an image: somebody may well have it. */
export function unavailable(error: unknown): unknown {
  if (!(error instanceof KuboDownError || error instanceof KuboRefusedError)) return error
  return new ContentUnavailableError('an IPFS node does not answer as it should', { cause: error, failures: [error.message] })
}
