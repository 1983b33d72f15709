import type { Digest } from '../oci/digest.ts'
import { parseManifest, type Descriptor, type Manifest } from '../oci/manifest.ts'
import type { AbortOptions, Change, ObjectStore } from '../storage/object-store.ts'
import { MAX_DEPTH, MAX_MANIFESTS_BYTES, MAX_REFERENCES, tooDeep, tooManyManifestBytes, tooManyReferences } from './limits.ts'
import { link } from './links.ts'
import type { Manifests } from './manifests.ts'
import { blobData, inRepository, within } from './paths.ts'

/** References looked up at a time. */
const LOOK_UPS = 64

/** What a repository links: configs and layers, or manifests. Only a manifest has been checked to be one. */
export type LinkKind = 'layer' | 'revision'

export interface PrepareOptions extends AbortOptions {
  /** Asked for what the repository does not link: whether it may be taken as if it did. The data must be there anyway. */
  readonly known?: ((kind: LinkKind, digest: Digest) => Promise<boolean>) | undefined
}

/** What of a manifest's references, and of its children's, is not in the repository. */
export interface Missing {
  /** Configs and layers; foreign layers need not be here. */
  readonly blobs: readonly Descriptor[]
  readonly manifests: readonly Descriptor[]
}

/**
 * What a manifest refers to, down to the last layer, and the links that keep it in the repository. Links that are
 * there are written again: the repository may be on its way out, and the commit must not depend on it.
 */
export class References {
  readonly changes: Change[] = []
  readonly #store: ObjectStore
  readonly #manifests: Manifests
  readonly #name: string
  readonly #options: PrepareOptions
  readonly #seen = new Set<string>()
  readonly #missing: { readonly blobs: Descriptor[]; readonly manifests: Descriptor[] } = { blobs: [], manifests: [] }
  #manifestBytes = 0

  constructor(store: ObjectStore, manifests: Manifests, name: string, options: PrepareOptions) {
    this.#store = store
    this.#manifests = manifests
    this.#name = name
    this.#options = options
  }

  async add(manifest: Manifest): Promise<Missing> {
    await this.#add(manifest, 0)
    return this.#missing
  }

  /** A subject, where it is here: it need not be. */
  async addSubject(subject: Descriptor): Promise<void> {
    await this.#descend(await this.#link([subject], 'revision', []), -1)
  }

  async #add(manifest: Manifest, depth: number): Promise<void> {
    await this.#link(manifest.blobs, 'layer', this.#missing.blobs)
    await this.#descend(await this.#link(manifest.manifests, 'revision', this.#missing.manifests), depth)
  }

  async #descend(children: readonly Descriptor[], depth: number): Promise<void> {
    if (children.length > 0 && depth >= MAX_DEPTH) throw tooDeep()
    for (const { digest } of children) {
      const stored = await this.#manifests.load(digest, this.#options)
      if (stored === undefined) continue
      this.#manifestBytes += stored.bytes.length
      if (this.#manifestBytes > MAX_MANIFESTS_BYTES) throw tooManyManifestBytes()
      await this.#add(parseManifest(stored.bytes), depth + 1)
    }
  }

  /** @returns those that are here; the others go to `missing` */
  async #link(descriptors: readonly Descriptor[], kind: LinkKind, missing: Descriptor[]): Promise<readonly Descriptor[]> {
    const path = within[kind]
    const fresh = descriptors.filter(({ digest }) => this.#isNew(path(digest)))
    // Before anything is looked up: 4 MiB of descriptors would hold up everybody else. The one more is a subject.
    if (this.#seen.size > MAX_REFERENCES + 1) throw tooManyReferences()
    const found: Descriptor[] = []
    for (let at = 0; at < fresh.length; at += LOOK_UPS) {
      const group = fresh.slice(at, at + LOOK_UPS)
      const there = await Promise.all(group.map(({ digest }) => this.#holds(kind, digest)))
      for (const [index, descriptor] of group.entries()) {
        if (there[index] === true) found.push(descriptor)
        else if (kind === 'revision' || !descriptor.foreign) missing.push(descriptor)
      }
    }
    this.changes.push(...found.map(({ digest }) => link(inRepository(this.#name, path(digest)), digest)))
    return found
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
