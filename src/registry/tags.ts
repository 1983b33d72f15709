import type { ObjectStore } from '../storage/object-store.ts'
import { checkName } from './names.ts'
import { inRepository, within } from './paths.ts'
import type { Page, PageOptions } from './registry.ts'
import { RegistryError } from '../oci/errors.ts'
import type { Repositories } from './repositories.ts'

/** Entries of a page where the client names no number, and at most. */
export const PAGE_SIZE: number = 1000

export function pageSize(limit: number | undefined, most: number = PAGE_SIZE): number {
  return Math.min(limit ?? most, most)
}

/** The tags of a repository, sorted by their bytes. */
export class Tags {
  readonly #store: ObjectStore
  readonly #repositories: Repositories

  constructor(store: ObjectStore, repositories: Repositories) {
    this.#store = store
    this.#repositories = repositories
  }

  async list(name: string, { limit, after, signal }: PageOptions = {}): Promise<Page> {
    checkName(name)
    const size = pageSize(limit)
    const names = await this.#store.list(inRepository(name, within.tags), { after, limit: size + 1, signal })
    if (names.length === 0 && !(await this.#repositories.exists(name, { signal }))) {
      throw new RegistryError('NAME_UNKNOWN', undefined, { detail: { name } })
    }
    return { entries: names.slice(0, size), more: size > 0 && names.length > size }
  }
}
