import { digestOf, formatDigest, sameDigest, type Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { parseManifest, type Descriptor, type Manifest } from '../oci/manifest.ts'
import type { AbortOptions, Change, ObjectStore } from '../storage/object-store.ts'
import { MAX_DEPTH, MAX_MANIFEST_BYTES, MAX_REFERENCES, manifestTooLarge, tooDeep, tooManyReferences } from './limits.ts'
import { link } from './links.ts'
import type { Manifests } from './manifests.ts'
import { checkName, checkReference } from './names.ts'
import { blobData, inRepository, within } from './paths.ts'
import type { ManifestReceipt, PutManifest } from './registry.ts'

/** References looked up at a time. */
const LOOK_UPS = 64

/** What a repository links: configs and layers, or manifests. Only a manifest has been checked to be one. */
export type LinkKind = 'layer' | 'revision'

export interface PrepareOptions extends AbortOptions {
  /** Asked for what the repository does not link: whether it may be taken as if it did. The data must be there anyway. */
  readonly known?: ((kind: LinkKind, digest: Digest) => Promise<boolean>) | undefined
}

/** A manifest that may be stored, and what storing it changes. */
export interface PreparedManifest {
  readonly name: string
  /** The tag that it was pushed to; undefined where it was pushed by digest. */
  readonly tag: string | undefined
  readonly digest: Digest
  readonly bytes: Uint8Array
  readonly receipt: ManifestReceipt
  /** In the order that shows nothing before it is whole: data, links of what it refers to, its revision, its tag. */
  readonly changes: readonly Change[]
}

/** Decides whether a manifest may enter a repository. */
export class ManifestPreparer {
  readonly #store: ObjectStore
  readonly #manifests: Manifests

  constructor(store: ObjectStore, manifests: Manifests) {
    this.#store = store
    this.#manifests = manifests
  }

  /** @throws RegistryError MANIFEST_INVALID, MANIFEST_BLOB_UNKNOWN, DIGEST_INVALID, TAG_INVALID, NAME_INVALID */
  async prepare(name: string, put: PutManifest, options: PrepareOptions = {}): Promise<PreparedManifest> {
    checkName(name)
    const reference = checkReference(put.reference)
    if (put.bytes.length > MAX_MANIFEST_BYTES) throw manifestTooLarge()
    const digest = digestOf(put.bytes, reference.digest?.algorithm)
    if (reference.digest !== undefined && !sameDigest(digest, reference.digest)) {
      throw new RegistryError('DIGEST_INVALID', undefined, { detail: { digest: formatDigest(digest) } })
    }
    const manifest = parseManifest(put.bytes, put.contentType)
    const closure = new Closure(this.#store, this.#manifests, name, options)
    await closure.add(manifest)
    const { tag } = reference
    const own = [
      link(inRepository(name, within.revision(digest)), digest),
      ...(tag === undefined ? [] : [link(inRepository(name, within.tagIndex(tag, digest)), digest), link(inRepository(name, within.tagCurrent(tag)), digest)]),
    ]
    // No subject in the receipt yet. distribution-spec §Pushing Manifests with Subject: OCI-Subject tells that the
    // registry has the referrers API; told without it, the client would keep its referrers nowhere.
    const receipt = { digest }
    const changes = [{ put: blobData(digest), data: put.bytes }, ...closure.changes, ...own]
    return { name, tag, digest, bytes: put.bytes, receipt, changes }
  }
}

/**
 * What a manifest refers to, down to the last layer, and the links that keep it in the repository. Links that are
 * there are written again: the repository may be on its way out, and the commit must not depend on it.
 */
class Closure {
  readonly changes: Change[] = []
  readonly #store: ObjectStore
  readonly #manifests: Manifests
  readonly #name: string
  readonly #options: PrepareOptions
  readonly #seen = new Set<string>()

  constructor(store: ObjectStore, manifests: Manifests, name: string, options: PrepareOptions) {
    this.#store = store
    this.#manifests = manifests
    this.#name = name
    this.#options = options
  }

  /** @throws RegistryError MANIFEST_BLOB_UNKNOWN, naming all that is missing */
  async add(manifest: Manifest): Promise<void> {
    const blobs = await this.#link(manifest.blobs, 'layer')
    const children = await this.#link(manifest.manifests, 'revision')
    const missing = [...blobs.missing.filter(({ foreign }) => !foreign), ...children.missing]
    if (missing.length > 0) {
      const digests = missing.map(({ digest }) => formatDigest(digest))
      throw new RegistryError('MANIFEST_BLOB_UNKNOWN', `not in the repository: ${digests.join(', ')}`, { detail: { digests } })
    }
    await this.#descend(children.found, 1)
  }

  /** The children were complete when they were pushed; what they refer to is linked where it is still there. */
  async #descend(children: readonly Descriptor[], depth: number): Promise<void> {
    if (children.length > 0 && depth > MAX_DEPTH) throw tooDeep()
    for (const { digest } of children) {
      const stored = await this.#manifests.load(digest, this.#options)
      if (stored === undefined) continue
      const manifest = parseManifest(stored.bytes)
      await this.#link(manifest.blobs, 'layer')
      await this.#descend((await this.#link(manifest.manifests, 'revision')).found, depth + 1)
    }
  }

  async #link(
    descriptors: readonly Descriptor[],
    kind: LinkKind,
  ): Promise<{ found: readonly Descriptor[]; missing: readonly Descriptor[] }> {
    const path = within[kind]
    const fresh = descriptors.filter(({ digest }) => this.#isNew(path(digest)))
    // Before anything is looked up: 4 MiB of descriptors would hold up everybody else.
    if (this.#seen.size > MAX_REFERENCES) throw tooManyReferences()
    const found: Descriptor[] = []
    const missing: Descriptor[] = []
    for (let at = 0; at < fresh.length; at += LOOK_UPS) {
      const group = fresh.slice(at, at + LOOK_UPS)
      const there = await Promise.all(group.map(({ digest }) => this.#holds(kind, digest)))
      group.forEach((descriptor, index) => (there[index] === true ? found : missing).push(descriptor))
    }
    this.changes.push(...found.map(({ digest }) => link(inRepository(this.#name, path(digest)), digest)))
    return { found, missing }
  }

  #isNew(path: string): boolean {
    return !this.#seen.has(path) && this.#seen.add(path) !== undefined
  }

  async #holds(kind: LinkKind, digest: Digest): Promise<boolean> {
    const { signal, known } = this.#options
    const link = inRepository(this.#name, within[kind](digest))
    const linked = (await this.#store.stat(link, { signal })) !== undefined || (await known?.(kind, digest)) === true
    return linked && (await this.#store.stat(blobData(digest), { signal })) !== undefined
  }
}
