import type { AbortOptions, ListOptions, ObjectReader, ObjectStat } from '../../../storage/object-store.ts'
import type { DatabaseReader } from '../../../storage/embedded/database-reader.ts'
import { writtenAt } from './journal.ts'
import { KuboListing } from './listing.ts'
import type { KuboNodes } from '../nodes/nodes.ts'

/** What is in the MFS of the nodes, only looked at. */
export class KuboReader implements ObjectReader {
  readonly #nodes: KuboNodes
  readonly #listing: KuboListing
  readonly #times: DatabaseReader | undefined

  /** @param database of the data directory, where there is one: it alone knows when something was written */
  constructor(nodes: KuboNodes, database?: DatabaseReader) {
    this.#nodes = nodes
    this.#times = database?.hasTable('kubo_written') === true ? database : undefined
    this.#listing = new KuboListing(nodes)
  }

  async stat(path: string, options: AbortOptions = {}): Promise<ObjectStat | undefined> {
    const at = await this.#nodes.stat(path, options)
    return at === undefined ? undefined : { size: at.found.size, modifiedAt: this.#times === undefined ? 0 : writtenAt(this.#times, path) }
  }

  get(path: string, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    return this.#nodes.get(path, options)
  }

  list(directory: string, options: ListOptions = {}): Promise<string[]> {
    return this.#listing.page(directory, options)
  }
}
