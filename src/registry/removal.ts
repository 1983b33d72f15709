import { setImmediate } from 'node:timers/promises'
import { formatDigest, sameDigest, type Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { isTag } from '../oci/reference.ts'
import { ConflictError } from '../storage/errors.ts'
import type { AbortOptions, Change, Expectation, ObjectStore } from '../storage/object-store.ts'
import { linkData, readLink } from './links.ts'
import { manifestUnknown, type Manifests } from './manifests.ts'
import { checkDigest, checkName } from './names.ts'
import { inRepository, within } from './paths.ts'
import type { LinkKind } from './references.ts'
import type { Repositories } from './repositories.ts'

/** Others can only come in between by moving one of the manifest's tags, or by putting it in or taking it out. */
const ATTEMPTS = 10
const PAGE = 500

export interface RemoveOptions extends AbortOptions {
  /** Asked what else goes in the same commit as the link of a digest. Where that is anything, there was something to remove. */
  readonly along?: ((kind: LinkKind, digest: Digest) => Promise<readonly Change[]>) | undefined
}

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

  async manifest(name: string, reference: string, options: RemoveOptions = {}): Promise<void> {
    checkName(name)
    const removed = reference.includes(':')
      ? await this.#link(name, 'revision', checkDigest(reference), options)
      : isTag(reference) && await this.#tag(name, reference, options)
    if (removed) return
    await this.#repositories.require(name, options)
    throw manifestUnknown(reference)
  }

  async blob(name: string, text: string, options: RemoveOptions = {}): Promise<void> {
    checkName(name)
    const digest = checkDigest(text)
    if (await this.#link(name, 'layer', digest, options)) return
    await this.#repositories.require(name, options)
    throw new RegistryError('BLOB_UNKNOWN', undefined, { detail: { digest: formatDigest(digest) } })
  }

  /** Whether there was anything to remove. */
  async #tag(name: string, tag: string, options: AbortOptions): Promise<boolean> {
    if ((await this.#store.stat(inRepository(name, within.tagCurrent(tag)), options)) === undefined) return false
    await this.#store.commit({ changes: [{ delete: inRepository(name, within.tag(tag)) }] }, options)
    return true
  }

  /** Whether there was anything to remove. */
  async #link(name: string, kind: LinkKind, digest: Digest, { along, signal }: RemoveOptions): Promise<boolean> {
    const path = inRepository(name, within[kind](digest))
    for (let attempt = 1; ; attempt++) {
      // Tags of what is not there are what a commit left that was cut off, or one that came in between.
      const tags = kind === 'revision' ? await this.#tagsOf(name, digest, { signal }) : []
      const data = await this.#store.get(path, { signal })
      const more = await along?.(kind, digest) ?? []
      if (data === undefined && tags.length === 0 && more.length === 0) return false
      const expect: Expectation[] = [
        { path, data },
        // A tag that has been moved meanwhile is no longer this manifest's.
        ...tags.map((tag) => ({ path: inRepository(name, within.tagCurrent(tag)), data: linkData(digest) })),
      ]
      const changes: Change[] = [
        ...(kind === 'revision' ? await this.#referrer(name, digest, { signal }) : []),
        { delete: path },
        ...tags.map((tag) => ({ delete: inRepository(name, within.tag(tag)) })),
        ...more,
      ]
      try {
        await this.#store.commit({ expect, changes }, { signal })
        return true
      } catch (error) {
        if (!(error instanceof ConflictError) || attempt === ATTEMPTS) throw error
      }
    }
  }

  /** Its place among the referrers of its subject. */
  async #referrer(name: string, digest: Digest, options: AbortOptions): Promise<Change[]> {
    const subject = (await this.#manifests.parsed(digest, options))?.subject
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
