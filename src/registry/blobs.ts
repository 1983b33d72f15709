import { formatDigest, type Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { isRepositoryName } from '../oci/reference.ts'
import type { AbortOptions, ObjectLinks, ObjectStat, ObjectStore } from '../storage/object-store.ts'
import type { Catalog } from './catalog.ts'
import { link } from './links.ts'
import { checkDigest, checkName } from './names.ts'
import { blobData, inRepository, within } from './paths.ts'
import type { Blob, MountSource } from './registry.ts'
import type { Repositories } from './repositories.ts'

/** Repositories that a mount without `from` looks at. */
const MOUNT_CANDIDATES = 1000
/** Seconds for which a URL of a blob is good: Distribution's. */
const URL_SECONDS = 20 * 60

/** Blobs as a repository sees them: there when it links them and the data is there. */
export class Blobs {
  readonly #store: ObjectStore
  readonly #repositories: Repositories
  readonly #catalog: Catalog
  readonly #links: ObjectLinks | undefined

  /** @param links where clients get blobs themselves */
  constructor(store: ObjectStore, repositories: Repositories, catalog: Catalog, links?: ObjectLinks) {
    this.#store = store
    this.#repositories = repositories
    this.#catalog = catalog
    this.#links = links
  }

  async get(name: string, text: string, options?: AbortOptions): Promise<Blob> {
    checkName(name)
    const digest = checkDigest(text)
    const stat = await this.stat(name, digest, options)
    if (stat === undefined) {
      await this.#repositories.require(name, options)
      throw new RegistryError('BLOB_UNKNOWN', undefined, { detail: { digest: formatDigest(digest) } })
    }
    const links = this.#links
    const url = links && ((method: 'GET' | 'HEAD') => links.presigned(blobData(digest), method, URL_SECONDS))
    return { digest, size: stat.size, read: (range) => this.#store.read(blobData(digest), range), url }
  }

  async mount(name: string, text: string, { from, mayPull = () => true }: MountSource, options?: AbortOptions): Promise<Digest | undefined> {
    checkName(name)
    const digest = checkDigest(text)
    const source = from === undefined ? await this.#holder(name, digest, mayPull, options) : from
    if (source === undefined || !isRepositoryName(source) || !mayPull(source)) return undefined
    if ((await this.stat(source, digest, options)) === undefined) return undefined
    await this.#store.commit({ changes: [link(inRepository(name, within.layer(digest)), digest)] }, options)
    return digest
  }

  /** A repository that has the blob: its neighbours by name are asked first, then the others, all in all a bounded number. */
  async #holder(name: string, digest: Digest, mayPull: (repository: string) => boolean, options?: AbortOptions): Promise<string | undefined> {
    if ((await this.#store.stat(blobData(digest), options)) === undefined) return undefined
    for (const after of new Set([name.slice(0, name.lastIndexOf('/') + 1) || undefined, undefined])) {
      let left = MOUNT_CANDIDATES / 2
      for await (const candidate of this.#catalog.names({ after, signal: options?.signal })) {
        if (mayPull(candidate) && (await this.stat(candidate, digest, options)) !== undefined) return candidate
        if (--left === 0) break
      }
    }
    return undefined
  }

  async stat(name: string, digest: Digest, options?: AbortOptions): Promise<ObjectStat | undefined> {
    const linked = await this.#store.stat(inRepository(name, within.layer(digest)), options)
    return linked === undefined ? undefined : await this.#store.stat(blobData(digest), options)
  }
}
