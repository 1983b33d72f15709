import type { CID } from 'multiformats/cid'
import type { Database } from '../../storage/embedded/database.ts'
import type { AbortOptions } from '../../storage/object-store.ts'
import type { ProvideTable } from '../embedded/provide-table.ts'
import type { BlockReader, DagIndex, FileOptions, ProvideQueue, Tree } from '../node.ts'
import type { KuboNodes } from './kubo-nodes.ts'

/** Stored objects as the nodes have them: what a DAG is made of they know themselves. */
export class KuboDagIndex implements DagIndex, ProvideQueue {
  readonly blocks: BlockReader
  readonly queue: ProvideTable

  private constructor(blocks: BlockReader, queue: ProvideTable) {
    this.blocks = blocks
    this.queue = queue
  }

  /** @param database the local one. @throws StorageFailedError */
  static async open(_database: Database, _nodes: KuboNodes): Promise<KuboDagIndex> {
    throw new Error('to come')
  }

  file(_path: string, _options?: FileOptions): Promise<CID> {
    throw new Error('to come')
  }

  addTree(_tree: Tree, _options?: AbortOptions): Promise<CID> {
    throw new Error('to come')
  }

  provide(roots: readonly CID[], options?: AbortOptions): Promise<void> {
    return this.queue.add(roots, options)
  }

  /** Lets go of the DAGs that were made for objects that are no more. @returns how many */
  clean(_options?: AbortOptions): Promise<number> {
    throw new Error('to come')
  }
}
