import type { AbortOptions, ListOptions, ObjectReader, ObjectStat } from '../../storage/object-store.ts'
import { KuboListing } from './kubo-listing.ts'
import type { KuboNodes } from './kubo-nodes.ts'

/** What is in the MFS of the nodes, only looked at: needs nothing that is local. */
export class KuboReader implements ObjectReader {
  readonly #nodes: KuboNodes
  readonly #listing: KuboListing

  constructor(nodes: KuboNodes) {
    this.#nodes = nodes
    this.#listing = new KuboListing(nodes)
  }

  async stat(path: string, options: AbortOptions = {}): Promise<ObjectStat | undefined> {
    const at = await this.#nodes.stat(path, options)
    return at === undefined ? undefined : { size: at.found.size, modifiedAt: 0 }
  }

  async get(path: string, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    const chunks: Uint8Array[] = []
    let isThere = false
    for await (const chunk of this.#nodes.read(path, options, () => void (isThere = true))) chunks.push(chunk)
    return isThere ? Buffer.concat(chunks) : undefined
  }

  list(directory: string, options: ListOptions = {}): Promise<string[]> {
    return this.#listing.page(directory, options)
  }
}
