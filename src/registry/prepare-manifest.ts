import { digestOf, formatDigest, sameDigest, type Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { parseManifest, type Descriptor } from '../oci/manifest.ts'
import { referrerOf } from '../oci/referrer.ts'
import type { Change, ObjectStore } from '../storage/object-store.ts'
import { MAX_MANIFEST_BYTES, MAX_TAGS, manifestTooLarge, tooManyTags } from './limits.ts'
import { link } from './links.ts'
import type { Manifests } from './manifests.ts'
import { checkName, checkReference, checkTag } from './names.ts'
import { blobData, inRepository, within } from './paths.ts'
import { referrerChange } from './referrers.ts'
import { References, type PrepareOptions } from './references.ts'
import type { ManifestReceipt, PutManifest } from './registry.ts'
import { neededOf, type Sparseness } from './sparseness.ts'

/** A manifest that may be stored, and what storing it changes. */
export interface PreparedManifest {
  readonly name: string
  /** The tags that it gets; none where it was pushed by digest alone. */
  readonly tags: readonly string[]
  readonly digest: Digest
  readonly bytes: Uint8Array
  /** How many manifests and blobs of the image are not in the repository, where the registry lets that be. */
  readonly missing: number
  readonly receipt: ManifestReceipt
  /** In the order that shows nothing before it is whole: data, links of what it refers to, its revision, its tags. */
  readonly changes: readonly Change[]
}

/** Decides whether a manifest may enter a repository. */
export class ManifestPreparer {
  readonly #store: ObjectStore
  readonly #manifests: Manifests
  readonly #sparseness: Sparseness

  constructor(store: ObjectStore, manifests: Manifests, sparseness: Sparseness) {
    this.#store = store
    this.#manifests = manifests
    this.#sparseness = sparseness
  }

  /** @throws RegistryError MANIFEST_INVALID, MANIFEST_BLOB_UNKNOWN, DIGEST_INVALID, NAME_INVALID */
  async prepare(name: string, put: PutManifest, options: PrepareOptions = {}): Promise<PreparedManifest> {
    checkName(name)
    const reference = checkReference(put.reference)
    const asked = reference.digest === undefined ? [] : checkTags(put.tags ?? [])
    const tags = reference.digest === undefined ? [reference.tag] : asked
    if (put.bytes.length > MAX_MANIFEST_BYTES) throw manifestTooLarge()
    const digest = digestOf(put.bytes, reference.digest?.algorithm)
    if (reference.digest !== undefined && !sameDigest(digest, reference.digest)) {
      throw new RegistryError('DIGEST_INVALID', undefined, { detail: { digest: formatDigest(digest) } })
    }
    const manifest = parseManifest(put.bytes, put.contentType)
    const references = new References(this.#store, this.#manifests, name, options)
    const missing = await references.add(manifest)
    const needed = neededOf(missing, this.#sparseness)
    if (needed.length > 0) {
      const digests = needed.map((descriptor) => formatDigest(descriptor.digest))
      throw new RegistryError('MANIFEST_BLOB_UNKNOWN', `not in the repository: ${digests.join(', ')}`, { detail: { digests } })
    }
    const { subject } = manifest
    const receipt: ManifestReceipt = {
      digest,
      // distribution-spec §Pushing Manifests with Subject: MUST respond with the response header `OCI-Subject`.
      ...(subject === undefined ? {} : { subject: subject.digest }),
      ...(asked.length === 0 ? {} : { tags: asked }),
    }
    const changes = [
      { put: blobData(digest), data: put.bytes },
      ...references.changes,
      ...(subject === undefined || options.known === undefined ? [] : await this.#keep(name, subject, options)),
      link(inRepository(name, within.revision(digest)), digest),
      ...(subject === undefined ? [] : [referrerChange(name, subject.digest, digest, referrerOf(manifest, digest, put.bytes.length))]),
      ...tags.flatMap((tag) => [link(inRepository(name, within.tagIndex(tag, digest)), digest), link(inRepository(name, within.tagCurrent(tag)), digest)]),
    ]
    return { name, tags, digest, bytes: put.bytes, missing: missing.blobs.length + missing.manifests.length, receipt, changes }
  }

  /** A name whose `latest` went still has what is referred to now: who signs an image can verify it there for good. */
  async #keep(name: string, subject: Descriptor, options: PrepareOptions): Promise<Change[]> {
    const references = new References(this.#store, this.#manifests, name, options)
    await references.addSubject(subject)
    return references.changes
  }
}

/** @throws RegistryError MANIFEST_INVALID, with status 414 where they are too many */
function checkTags(tags: readonly string[]): string[] {
  const different = [...new Set(tags)]
  // distribution-spec §Pushing Manifests: MAY return a `414 Request-URI Too Long` status if too many tags are included.
  if (different.length > MAX_TAGS) throw tooManyTags()
  for (const tag of different) checkTag(tag)
  return different
}
