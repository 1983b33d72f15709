import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import type { BlockSource } from '../../block-source.ts'
import { VerificationError } from '../../errors.ts'
import type { BlockPeer } from '../../gateway/block-peer.ts'
import { CombinedSource } from '../../gateway/combined-source.ts'
import { inlined, SHA2_256, type Block } from '../../unixfs/block.ts'
import type { FetchBlock } from '../../unixfs/walk-file.ts'
import type { KuboNode } from '../nodes/node.ts'
import { KuboSource } from './source.ts'

export interface SessionBlocksParts {
  /** Asked first; closed with it. */
  readonly gateways: readonly BlockPeer[]
  /** Where the repository goes, and the others. */
  readonly nodes: readonly KuboNode[]
  /** Milliseconds. */
  readonly timeout: number
  readonly unreachable: (node: KuboNode) => readonly string[]
  readonly log: Logger
}

/** The blocks of one image: from the gateways, and from what the nodes have and find. */
export class SessionBlocks {
  readonly #parts: SessionBlocksParts
  readonly #source: BlockSource
  /** Those that no gateway gave. There are few, because then nothing more is asked for by the block. */
  readonly #fromNode = new Set<string>()

  constructor(parts: SessionBlocksParts) {
    this.#parts = parts
    const { gateways, nodes, timeout, log } = parts
    const general = this.#noting(this.#at(nodes))
    this.#source = gateways.length === 0 ? general : new CombinedSource({ peers: gateways, general, timeout, log })
  }

  readonly fetch: FetchBlock = async (cid, options) => {
    const inline = inlined(cid)
    if (inline !== undefined) return inline
    if (cid.multihash.code !== SHA2_256) throw new VerificationError(`block ${cid} has a hash that is not supported: 0x${cid.multihash.code.toString(16)}`)
    return this.#source.fetch(cid, options)
  }

  /** The root of a file, and whether its nodes are who get the rest. */
  async root(cid: CID, nodes: readonly KuboNode[], options: AbortOptions): Promise<Block & { readonly atNode: boolean }> {
    if (this.#parts.gateways.length > 0) {
      const bytes = await this.fetch(cid, options)
      return { cid, bytes, atNode: inlined(cid) !== undefined || this.#fromNode.has(cid.toString()) }
    }
    return { cid, bytes: inlined(cid) ?? await this.#at(nodes).fetch(cid, options), atNode: true }
  }

  close(): Promise<void> {
    return this.#source.close()
  }

  #at(nodes: readonly KuboNode[]): KuboSource {
    return new KuboSource({ nodes, timeout: this.#parts.timeout, unreachable: this.#parts.unreachable })
  }

  #noting(source: BlockSource): BlockSource {
    return {
      fetch: async (cid, options) => {
        const bytes = await source.fetch(cid, options)
        this.#fromNode.add(cid.toString())
        return bytes
      },
      unanswered: () => source.unanswered?.() ?? [],
      close: () => source.close(),
    }
  }
}
