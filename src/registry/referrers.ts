import { formatDigest, sameDigest, type Digest } from '../oci/digest.ts'
import { referrerOf, referrersTag, type Referrer } from '../oci/referrer.ts'
import type { AbortOptions, Change, ObjectStore } from '../storage/object-store.ts'
import type { Manifests } from './manifests.ts'
import { checkDigest, checkName } from './names.ts'
import { blobData, inRepository, within } from './paths.ts'
import type { ReferrersOptions, ReferrersPage } from './registry.ts'
import { pageSize } from './tags.ts'

/** Bytes of descriptors that one request looks at, unless the first alone has more: annotations may fill a manifest. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024
/** Descriptors that are read at once. */
const AT_ONCE = 64

/** Where a descriptor is had from. */
interface Source {
  /** Bytes that are looked at for it. */
  readonly size: number
  read(): Promise<Referrer | undefined>
}

/** The change that lists a manifest among the referrers of its subject. */
export function referrerChange(name: string, subject: Digest, digest: Digest, referrer: Referrer): Change {
  return { put: inRepository(name, within.referrer(subject, digest)), data: Buffer.from(JSON.stringify(referrer)) }
}

/**
 * The manifests that refer to one. An index of its own lists them, one descriptor a file, so that a page costs the page;
 * the file comes and goes in the commit that brings or removes the manifest.
 */
export class Referrers {
  readonly #store: ObjectStore
  readonly #manifests: Manifests

  constructor(store: ObjectStore, manifests: Manifests) {
    this.#store = store
    this.#manifests = manifests
  }

  async list(name: string, text: string, { limit, after, artifactType, signal }: ReferrersOptions = {}): Promise<ReferrersPage> {
    checkName(name)
    const subject = checkDigest(text)
    const last = after === undefined ? undefined : checkDigest(after)
    const size = pageSize(limit)
    if (size === 0) return { referrers: [], next: undefined }
    const digests = await this.#digests(name, subject, last, size + 1, { signal })
    const referrers: Referrer[] = []
    let passed = 0
    for (let bytes = 0; passed < Math.min(size, digests.length); ) {
      const group = digests.slice(passed, Math.min(passed + AT_ONCE, size))
      const sources = await Promise.all(group.map((digest) => this.#source(name, subject, digest, { signal })))
      let fit = 0
      for (const source of sources) {
        bytes += source?.size ?? 0
        if (bytes > MAX_PAGE_BYTES && passed + fit > 0) break
        fit++
      }
      const read = await Promise.all(sources.slice(0, fit).filter((source) => source !== undefined).map((source) => source.read()))
      for (const referrer of read) {
        if (referrer !== undefined && (artifactType === undefined || referrer.artifactType === artifactType)) referrers.push(referrer)
      }
      passed += fit
      if (fit < group.length) break
    }
    return { referrers, next: passed < digests.length ? digests[passed - 1] : undefined }
  }

  /** Of referrers, in their order. */
  async #digests(name: string, subject: Digest, after: Digest | undefined, limit: number, options: AbortOptions): Promise<string[]> {
    const tagged = await this.#tagged(name, subject, options)
    const listed = await this.#listed(name, subject, after, limit, options)
    const last = after === undefined ? '' : formatDigest(after)
    return [...new Set([...listed, ...tagged.filter((digest) => digest > last)])].toSorted().slice(0, limit)
  }

  async #listed(name: string, subject: Digest, after: Digest | undefined, limit: number, options: AbortOptions): Promise<string[]> {
    const directory = inRepository(name, within.referrersOf(subject))
    const digests: string[] = []
    for (const algorithm of await this.#store.list(directory, options)) {
      if (after !== undefined && algorithm < after.algorithm) continue
      const last = algorithm === after?.algorithm ? after.hex : undefined
      const names = await this.#store.list(`${directory}/${algorithm}`, { ...options, after: last, limit: limit - digests.length })
      digests.push(...names.map((hex) => `${algorithm}:${hex}`))
      if (digests.length >= limit) break
    }
    return digests
  }

  /**
   * distribution-spec §Enabling the Referrers API: registries MUST include preexisting image manifests that are listed
   * in an image index tagged with the referrers tag schema and have a valid `subject` field.
   */
  async #tagged(name: string, subject: Digest, options: AbortOptions): Promise<string[]> {
    const digest = await this.#manifests.resolve(name, referrersTag(subject), options)
    const index = digest && await this.#manifests.parsed(digest, options)
    return index === undefined ? [] : index.manifests.map((child) => formatDigest(child.digest))
  }

  /** Undefined where the repository has no such manifest: others may have taken it out, and left the descriptor. */
  async #source(name: string, subject: Digest, text: string, options: AbortOptions): Promise<Source | undefined> {
    const digest = await this.#manifests.resolve(name, text, options)
    if (digest === undefined) return undefined
    const path = inRepository(name, within.referrer(subject, digest))
    const listed = await this.#store.stat(path, options)
    if (listed !== undefined) return { size: listed.size, read: async () => parseReferrer(await this.#store.get(path, options)) }
    const stored = await this.#store.stat(blobData(digest), options)
    return stored && { size: stored.size, read: () => this.#tellOf(subject, digest, stored.size, options) }
  }

  /** What a manifest that only a tag lists looks like in the list; undefined where it does not refer to the subject. */
  async #tellOf(subject: Digest, digest: Digest, size: number, options: AbortOptions): Promise<Referrer | undefined> {
    const manifest = await this.#manifests.parsed(digest, options)
    const refers = manifest?.subject !== undefined && sameDigest(manifest.subject.digest, subject)
    return refers ? referrerOf(manifest, digest, size) : undefined
  }
}

function parseReferrer(data: Uint8Array | undefined): Referrer | undefined {
  return data && JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString()) as Referrer
}
