import type { CID } from 'multiformats/cid'
import { StorageFailedError } from '../../../storage/errors.ts'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { BlockReader, ReadBlockOptions } from '../../node.ts'
import { inlined, SHA2_256, sha256 } from '../../unixfs/block.ts'
import type { KuboNode } from '../nodes/node.ts'
import { failed, type KuboNodes } from '../nodes/nodes.ts'

/** The blocks of all nodes, asked of nobody beyond them. */
export class KuboBlocks implements BlockReader {
  readonly #nodes: KuboNodes

  constructor(nodes: KuboNodes) {
    this.#nodes = nodes
  }

  /** @throws StorageFailedError when no node gave it and one did not answer, or what came is not it */
  async get(cid: CID, { verify = true, signal }: ReadBlockOptions = {}): Promise<Uint8Array | undefined> {
    const bytes = await this.#ask(cid, signal, (node) => node.block(cid, { offline: true, signal }))
    if (bytes === undefined || !verify || inlined(cid) !== undefined || sha256(bytes).equals(cid.multihash.digest)) return bytes
    throw new StorageFailedError(`block ${cid} is damaged`)
  }

  /** @throws StorageFailedError when no node said that it has it and one did not answer */
  async has(cid: CID, { signal }: AbortOptions = {}): Promise<boolean> {
    return (await this.#ask(cid, signal, async (node) => ((await node.hasBlock(cid, { signal })) ? NOTHING : undefined))) !== undefined
  }

  async #ask(cid: CID, signal: AbortSignal | undefined, ask: (node: KuboNode) => Promise<Uint8Array | undefined>): Promise<Uint8Array | undefined> {
    signal?.throwIfAborted()
    const inline = inlined(cid)
    if (inline !== undefined) return inline
    if (cid.multihash.code !== SHA2_256) return undefined
    let failure: unknown
    for (const node of this.#nodes.all) {
      try {
        const found = await ask(node)
        if (found !== undefined) return found
      } catch (error) {
        signal?.throwIfAborted()
        failure ??= error
      }
    }
    if (failure !== undefined) throw failed(failure)
    return undefined
  }
}

const NOTHING = new Uint8Array()
