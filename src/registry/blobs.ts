import { formatDigest, type Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { isRepositoryName } from '../oci/reference.ts'
import type { AbortOptions, ObjectStat, ObjectStore } from '../storage/object-store.ts'
import { link } from './links.ts'
import { checkDigest, checkName } from './names.ts'
import { blobData, inRepository, within } from './paths.ts'
import type { Blob } from './registry.ts'
import type { Repositories } from './repositories.ts'

/** Blobs as a repository sees them: there when it links them and the data is there. */
export class Blobs {
  readonly #store: ObjectStore
  readonly #repositories: Repositories

  constructor(store: ObjectStore, repositories: Repositories) {
    this.#store = store
    this.#repositories = repositories
  }

  async get(name: string, text: string, options?: AbortOptions): Promise<Blob> {
    checkName(name)
    const digest = checkDigest(text)
    const stat = await this.stat(name, digest, options)
    if (stat === undefined) {
      await this.#repositories.require(name, options)
      throw new RegistryError('BLOB_UNKNOWN', undefined, { detail: { digest: formatDigest(digest) } })
    }
    return { digest, size: stat.size, read: (range) => this.#store.read(blobData(digest), range) }
  }

  async mount(name: string, text: string, from: string, options?: AbortOptions): Promise<Digest | undefined> {
    checkName(name)
    const digest = checkDigest(text)
    if (!isRepositoryName(from) || (await this.stat(from, digest, options)) === undefined) return undefined
    await this.#store.commit({ changes: [link(inRepository(name, within.layer(digest)), digest)] }, options)
    return digest
  }

  async stat(name: string, digest: Digest, options?: AbortOptions): Promise<ObjectStat | undefined> {
    const linked = await this.#store.stat(inRepository(name, within.layer(digest)), options)
    return linked === undefined ? undefined : await this.#store.stat(blobData(digest), options)
  }
}
