import { randomBytes } from 'node:crypto'
import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../../storage/object-store.ts'
import { cidOf, RAW, sha256 } from '../../unixfs/block.ts'
import type { KuboNode } from '../nodes/node.ts'

/**
 * Tells whether a node has collected garbage since, by a block that nobody holds: while it is there, so is everything
 * that was added after it. What Kubo itself offers, holding off the collector for as long as an `add` takes, would let
 * one slow client hold up everybody: who wants to change MFS waits behind a collector that waits.
 */
export class CollectionWatch {
  readonly #node: KuboNode
  #mark: CID | undefined

  constructor(node: KuboNode) {
    this.#node = node
  }

  /** Resolves with what tells later, once what was added since is held, whether it was there all the time. */
  async begin(options: AbortOptions = {}): Promise<(options?: AbortOptions) => Promise<boolean>> {
    if (this.#mark === undefined || !(await this.#node.hasBlock(this.#mark, options))) this.#mark = await this.#put(options)
    const mark = this.#mark
    return (later) => this.#node.hasBlock(mark, later)
  }

  async #put(options: AbortOptions): Promise<CID> {
    const bytes = randomBytes(32)
    const mark = cidOf(RAW, sha256(bytes))
    await this.#node.putBlock(bytes, options)
    // What is put while a collection is under way may be spared by it, and what is put next not. To let go of what
    // nobody holds is to wait until there is none.
    await this.#node.unpin(mark, options)
    return mark
  }
}
