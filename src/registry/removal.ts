import { setImmediate } from 'node:timers/promises'
import { formatDigest, sameDigest, type Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { parseManifest } from '../oci/manifest.ts'
import { isTag } from '../oci/reference.ts'
import { ConflictError } from '../storage/errors.ts'
import type { AbortOptions, Change, Expectation, ObjectStore } from '../storage/object-store.ts'
import { linkData, readLink } from './links.ts'
import { manifestUnknown, type Manifests } from './manifests.ts'
import { checkDigest, checkName } from './names.ts'
import { inRepository, within } from './paths.ts'
import type { Repositories } from './repositories.ts'

/** Others can only come in between by moving one of the manifest's tags. */
const ATTEMPTS = 10
const PAGE = 500

/** Takes manifests, tags and blobs out of a repository, each in one commit. The data is left to the collector of garbage. */
export class Removal {
  readonly #store: ObjectStore
  readonly #repositories: Repositories
  readonly #manifests: Manifests

  constructor(store: ObjectStore, repositories: Repositories, manifests: Manifests) {
    this.#store = store
    this.#repositories = repositories
    this.#manifests = manifests
  }

  async manifest(name: string, reference: string, options: AbortOptions = {}): Promise<void> {
    checkName(name)
    const removed = reference.includes(':')
      ? await this.#revision(name, checkDigest(reference), options)
      : isTag(reference) && await this.#remove(inRepository(name, within.tag(reference)), inRepository(name, within.tagCurrent(reference)), options)
    if (removed) return
    await this.#repositories.require(name, options)
    throw manifestUnknown(reference)
  }

  async blob(name: string, text: string, options: AbortOptions = {}): Promise<void> {
    checkName(name)
    const digest = checkDigest(text)
    const path = inRepository(name, within.layer(digest))
    if (await this.#remove(path, path, options)) return
    await this.#repositories.require(name, options)
    throw new RegistryError('BLOB_UNKNOWN', undefined, { detail: { digest: formatDigest(digest) } })
  }

  /** Whether there was anything to remove. */
  async #remove(path: string, link: string, options: AbortOptions): Promise<boolean> {
    if ((await this.#store.stat(link, options)) === undefined) return false
    await this.#store.commit({ changes: [{ delete: path }] }, options)
    return true
  }

  async #revision(name: string, digest: Digest, options: AbortOptions): Promise<boolean> {
    const link = inRepository(name, within.revision(digest))
    for (let attempt = 1; ; attempt++) {
      const tags = await this.#tagsOf(name, digest, options)
      // Tags without it are what a commit left that was cut off, or one that came in between.
      if (tags.length === 0 && (await this.#store.stat(link, options)) === undefined) return false
      // A tag that has been moved meanwhile is no longer this manifest's.
      const expect = tags.map((tag): Expectation => ({ path: inRepository(name, within.tagCurrent(tag)), data: linkData(digest) }))
      const changes: Change[] = [
        ...await this.#referrer(name, digest, options),
        { delete: link },
        ...tags.map((tag) => ({ delete: inRepository(name, within.tag(tag)) })),
      ]
      try {
        await this.#store.commit({ expect, changes }, options)
        return true
      } catch (error) {
        if (!(error instanceof ConflictError) || attempt === ATTEMPTS) throw error
      }
    }
  }

  /** Its place among the referrers of its subject. */
  async #referrer(name: string, digest: Digest, options: AbortOptions): Promise<Change[]> {
    const stored = await this.#manifests.load(digest, options)
    const subject = stored && parseManifest(stored.bytes).subject
    return subject === undefined ? [] : [{ delete: inRepository(name, within.referrer(subject.digest, digest)) }]
  }

  /** Costs a look at every tag of the repository: the stored tree, which is Distribution's, knows them the other way round only. */
  async #tagsOf(name: string, digest: Digest, options: AbortOptions): Promise<string[]> {
    const found: string[] = []
    let after: string | undefined
    do {
      const tags: string[] = await this.#store.list(inRepository(name, within.tags), { ...options, after, limit: PAGE })
      const targets = await Promise.all(tags.map((tag) => readLink(this.#store, inRepository(name, within.tagCurrent(tag)), options)))
      found.push(...tags.filter((_, index) => isTarget(targets[index], digest)))
      after = tags.length === PAGE ? tags.at(-1) : undefined
      await setImmediate()
    } while (after !== undefined)
    return found
  }
}

function isTarget(target: Digest | undefined, digest: Digest): boolean {
  return target !== undefined && sameDigest(target, digest)
}
