import { RegistryError } from '../oci/errors.ts'
import type { AbortOptions, ObjectStore } from '../storage/object-store.ts'
import { inRepository, repository, within } from './paths.ts'

/** Which repositories there are. */
export class Repositories {
  readonly #store: ObjectStore

  constructor(store: ObjectStore) {
    this.#store = store
  }

  /** A repository is one when a manifest or a tag is in it. */
  async exists(name: string, options?: AbortOptions): Promise<boolean> {
    for (const directory of [within.revisions, within.tags]) {
      const names = await this.#store.list(inRepository(name, directory), { limit: 1, signal: options?.signal })
      if (names.length > 0) return true
    }
    return false
  }

  /**
   * For the answer to what was not found: also a repository that has layers only, as in the middle of its first push,
   * is known.
   *
   * @throws RegistryError NAME_UNKNOWN
   */
  async require(name: string, options?: AbortOptions): Promise<void> {
    const [first] = await this.#store.list(repository(name), { after: '_', limit: 1, signal: options?.signal })
    if (first?.startsWith('_') !== true) throw new RegistryError('NAME_UNKNOWN', undefined, { detail: { name } })
  }
}
