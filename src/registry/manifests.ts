import type { Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { parseManifest, type Manifest } from '../oci/manifest.ts'
import { isTag } from '../oci/reference.ts'
import type { AbortOptions, ObjectStore } from '../storage/object-store.ts'
import { MAX_MANIFEST_BYTES, manifestTooLarge } from './limits.ts'
import { readLink } from './links.ts'
import type { ManifestCache } from './manifest-cache.ts'
import { checkDigest, checkName } from './names.ts'
import { blobData, inRepository, within } from './paths.ts'
import type { StoredManifest } from './registry.ts'
import type { Repositories } from './repositories.ts'

/** Reads manifests: by tag, or by digest where the repository has it as a revision. */
export class Manifests {
  readonly #store: ObjectStore
  readonly #repositories: Repositories
  readonly #cache: ManifestCache

  constructor(store: ObjectStore, repositories: Repositories, cache: ManifestCache) {
    this.#store = store
    this.#repositories = repositories
    this.#cache = cache
  }

  async get(name: string, reference: string, options?: AbortOptions): Promise<StoredManifest> {
    checkName(name)
    const digest = await this.resolve(name, reference, options)
    const manifest = digest && await this.load(digest, options)
    if (manifest === undefined) {
      await this.#repositories.require(name, options)
      throw manifestUnknown(reference)
    }
    return manifest
  }

  /** A manifest by its digest, whichever repository it is in. */
  async load(digest: Digest, options?: AbortOptions): Promise<StoredManifest | undefined> {
    const cached = this.#cache.get(digest)
    if (cached !== undefined) return cached
    const path = blobData(digest)
    const stat = await this.#store.stat(path, options)
    // A tree that others wrote may call anything a manifest: it must not come into memory whole.
    if (stat !== undefined && stat.size > MAX_MANIFEST_BYTES) throw manifestTooLarge()
    const bytes = await this.#store.get(path, options)
    if (bytes === undefined) return undefined
    const manifest = { digest, mediaType: parseManifest(bytes).mediaType, bytes }
    this.#cache.add(manifest)
    return manifest
  }

  /** What a manifest says, whichever repository it is in; undefined also where another registry stored what is none here. */
  async parsed(digest: Digest, options?: AbortOptions): Promise<Manifest | undefined> {
    try {
      const stored = await this.load(digest, options)
      return stored && parseManifest(stored.bytes)
    } catch (error) {
      if (error instanceof RegistryError) return undefined
      throw error
    }
  }

  /** The digest of a manifest by its tag or digest, where the repository has it. @throws RegistryError DIGEST_INVALID */
  async resolve(name: string, reference: string, options?: AbortOptions): Promise<Digest | undefined> {
    if (reference.includes(':')) return await readLink(this.#store, inRepository(name, within.revision(checkDigest(reference))), options)
    // What cannot be a tag is not there: distribution-spec §Pulling manifests has 404 for it, not 400.
    if (!isTag(reference)) return undefined
    const digest = await readLink(this.#store, inRepository(name, within.tagCurrent(reference)), options)
    // A tag that is moved to a manifest while that is deleted has nothing to point to.
    const there = digest !== undefined && (await this.#store.stat(inRepository(name, within.revision(digest)), options)) !== undefined
    return there ? digest : undefined
  }
}

export function manifestUnknown(reference: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', undefined, { detail: { reference } })
}
