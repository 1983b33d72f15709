import { formatDigest, parseDigest, sameDigest, type Digest } from '../oci/digest.ts'
import { parseManifest } from '../oci/manifest.ts'
import { referrerOf, referrersTag, type Referrer } from '../oci/referrer.ts'
import type { AbortOptions, Change, ObjectStore } from '../storage/object-store.ts'
import type { Manifests } from './manifests.ts'
import { checkDigest, checkName } from './names.ts'
import { inRepository, within } from './paths.ts'
import type { ReferrersOptions, ReferrersPage } from './registry.ts'
import { pageSize } from './tags.ts'

/** Bytes of descriptors that one request looks at, unless the first alone has more: annotations may fill a manifest. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024
/** Descriptors that are read at once. */
const AT_ONCE = 64

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
    const size = pageSize(limit)
    if (size === 0) return { referrers: [], next: undefined }
    const last = after === undefined ? undefined : checkDigest(after)
    const digests = await this.#digests(name, subject, last, size + 1, { signal })
    const referrers: Referrer[] = []
    let bytes = 0
    for (let at = 0; at < Math.min(size, digests.length); at += AT_ONCE) {
      const group = digests.slice(at, Math.min(at + AT_ONCE, size))
      const read = await Promise.all(group.map((digest) => this.#read(name, subject, digest, { signal })))
      for (const [index, data] of read.entries()) {
        const before = digests[at + index - 1]
        bytes += data?.byteLength ?? 0
        if (bytes > MAX_PAGE_BYTES && before !== undefined) return { referrers, next: formatDigest(before) }
        const referrer = data && parseReferrer(data)
        if (referrer !== undefined && (artifactType === undefined || referrer.artifactType === artifactType)) referrers.push(referrer)
      }
    }
    const end = digests[size - 1]
    return { referrers, next: digests.length > size && end !== undefined ? formatDigest(end) : undefined }
  }

  /** Of referrers, in the order of their text. */
  async #digests(name: string, subject: Digest, after: Digest | undefined, limit: number, options: AbortOptions): Promise<Digest[]> {
    const tagged = (await this.#tagged(name, subject, options)).filter((digest) => after === undefined || compare(digest, after) > 0)
    const listed = await this.#listed(name, subject, after, limit, options)
    const all = new Map([...listed, ...tagged].map((digest) => [formatDigest(digest), digest]))
    return [...all.values()].sort(compare).slice(0, limit)
  }

  async #listed(name: string, subject: Digest, after: Digest | undefined, limit: number, options: AbortOptions): Promise<Digest[]> {
    const directory = inRepository(name, within.referrersOf(subject))
    const digests: Digest[] = []
    for (const algorithm of await this.#store.list(directory, options)) {
      if (after !== undefined && algorithm < after.algorithm) continue
      const last = algorithm === after?.algorithm ? after.hex : undefined
      const names = await this.#store.list(`${directory}/${algorithm}`, { ...options, after: last, limit: limit - digests.length })
      digests.push(...names.map((hex) => parseDigest(`${algorithm}:${hex}`)).filter((digest) => digest !== undefined))
      if (digests.length >= limit) break
    }
    return digests
  }

  /**
   * distribution-spec §Enabling the Referrers API: registries MUST include preexisting image manifests that are listed
   * in an image index tagged with the referrers tag schema and have a valid `subject` field.
   */
  async #tagged(name: string, subject: Digest, options: AbortOptions): Promise<Digest[]> {
    const index = await this.#manifests.find(name, referrersTag(subject), options)
    return index === undefined ? [] : parseManifest(index.bytes).manifests.map(({ digest }) => digest)
  }

  /** The bytes of a descriptor; undefined where a tag names what is no referrer. */
  async #read(name: string, subject: Digest, digest: Digest, options: AbortOptions): Promise<Uint8Array | undefined> {
    const data = await this.#store.get(inRepository(name, within.referrer(subject, digest)), options)
    if (data !== undefined) return data
    const stored = await this.#manifests.find(name, formatDigest(digest), options)
    if (stored === undefined) return undefined
    const manifest = parseManifest(stored.bytes)
    if (manifest.subject === undefined || !sameDigest(manifest.subject.digest, subject)) return undefined
    return Buffer.from(JSON.stringify(referrerOf(manifest, digest, stored.bytes.length)))
  }
}

function parseReferrer(data: Uint8Array): Referrer {
  return JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString()) as Referrer
}

function compare(a: Digest, b: Digest): number {
  const [one, other] = [formatDigest(a), formatDigest(b)]
  return one < other ? -1 : one > other ? 1 : 0
}
