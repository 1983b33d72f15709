import type { CID } from 'multiformats/cid'
import { ObjectUnknownError } from '../storage/errors.ts'
import type { AbortOptions } from '../storage/object-store.ts'
import type { BlockReader, DagIndex, FileOptions, Tree } from './node.ts'

export type Restore = (path: string, options?: AbortOptions) => Promise<boolean>

/** An index of a store that may have lost what another still has: it is brought back before it is said to be unknown. */
export class RestoringIndex implements DagIndex {
  readonly #index: DagIndex
  readonly #restore: Restore

  /** @param restore brings an object back; whether it did */
  constructor(index: DagIndex, restore: Restore) {
    this.#index = index
    this.#restore = restore
  }

  get blocks(): BlockReader {
    return this.#index.blocks
  }

  async file(path: string, options: FileOptions = {}): Promise<CID> {
    try {
      return await this.#index.file(path, options)
    } catch (error) {
      if (!(error instanceof ObjectUnknownError) || !(await this.#restore(path, options))) throw error
      return this.#index.file(path, options)
    }
  }

  addTree(tree: Tree, options?: AbortOptions): Promise<CID> {
    return this.#index.addTree(tree, options)
  }
}
