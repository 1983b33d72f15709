import type { Digest } from '../oci/digest.ts'
import type { AbortOptions, ObjectLinks, ObjectStore, UploadStat } from '../storage/object-store.ts'
import { Blobs } from './blobs.ts'
import { Catalog } from './catalog.ts'
import { ManifestCache } from './manifest-cache.ts'
import { Manifests } from './manifests.ts'
import { ManifestPreparer, type PreparedManifest } from './prepare-manifest.ts'
import type { PrepareOptions } from './references.ts'
import { Referrers } from './referrers.ts'
import type {
  Blob, ManifestReceipt, MountSource, Page, PageOptions, PutManifest, ReferrersOptions, ReferrersPage, Registry, StoredManifest, Upload,
} from './registry.ts'
import { Removal, type RemoveOptions } from './removal.ts'
import { Repositories } from './repositories.ts'
import type { Sparseness } from './sparseness.ts'
import { Tags } from './tags.ts'
import { Uploads } from './uploads.ts'

export interface RegistryCoreOptions {
  /** Most bytes of a blob that is pushed. @default any number */
  readonly blobSize?: number | undefined
  /** Bytes of manifests kept in memory. @default 16 MiB */
  readonly manifestCache?: number | undefined
  /** Repositories of a page of the catalog at most. @default 1000 */
  readonly catalogMax?: number | undefined
  /** What manifests may refer to although it is not here. @default nothing */
  readonly sparseness?: Sparseness | undefined
  /** Clients get blobs there. @default here */
  readonly links?: ObjectLinks | undefined
}

const MANIFEST_CACHE = 16 * 1024 * 1024

/** A registry by the distribution-spec over an ObjectStore and nothing else. */
export class RegistryCore implements Registry {
  readonly #store: ObjectStore
  readonly #repositories: Repositories
  readonly #blobs: Blobs
  readonly #uploads: Uploads
  readonly #manifests: Manifests
  readonly #preparer: ManifestPreparer
  readonly #removal: Removal
  readonly #referrers: Referrers
  readonly #tags: Tags
  readonly #catalog: Catalog

  constructor(store: ObjectStore, options: RegistryCoreOptions = {}) {
    this.#store = store
    this.#repositories = new Repositories(store)
    this.#catalog = new Catalog(store, this.#repositories, options.catalogMax)
    this.#blobs = new Blobs(store, this.#repositories, this.#catalog, options.links)
    this.#uploads = new Uploads(store, options.blobSize)
    this.#manifests = new Manifests(store, this.#repositories, new ManifestCache(options.manifestCache ?? MANIFEST_CACHE))
    this.#preparer = new ManifestPreparer(store, this.#manifests, options.sparseness ?? {})
    this.#removal = new Removal(store, this.#repositories, this.#manifests)
    this.#referrers = new Referrers(store, this.#manifests)
    this.#tags = new Tags(store, this.#repositories)
  }

  blob(name: string, digest: string, options?: AbortOptions): Promise<Blob> {
    return this.#blobs.get(name, digest, options)
  }

  mount(name: string, digest: string, source: MountSource, options?: AbortOptions): Promise<Digest | undefined> {
    return this.#blobs.mount(name, digest, source, options)
  }

  startUpload(name: string, options?: AbortOptions): Promise<Upload> {
    return this.#uploads.start(name, options)
  }

  upload(name: string, id: string, options?: AbortOptions): Promise<Upload> {
    return this.#uploads.get(name, id, options)
  }

  appendUpload(
    name: string,
    id: string,
    offset: number | undefined,
    source: AsyncIterable<Uint8Array>,
    options?: AbortOptions,
  ): Promise<Upload> {
    return this.#uploads.append(name, id, offset, source, options)
  }

  finishUpload(name: string, id: string, digest: string, options?: AbortOptions): Promise<Digest> {
    return this.#uploads.finish(name, id, digest, options)
  }

  cancelUpload(name: string, id: string, options?: AbortOptions): Promise<void> {
    return this.#uploads.cancel(name, id, options)
  }

  /** Drops the uploads that `which` chooses, whatever repository they are in; tells how many. */
  removeUploads(which: (upload: UploadStat) => boolean, options?: AbortOptions): Promise<number> {
    return this.#uploads.removeAll(which, options)
  }

  manifest(name: string, reference: string, options?: AbortOptions): Promise<StoredManifest> {
    return this.#manifests.get(name, reference, options)
  }

  /** Validates a manifest and works out what storing it changes, for the caller to commit, alone or with changes of its own. */
  prepareManifest(name: string, put: PutManifest, options?: PrepareOptions): Promise<PreparedManifest> {
    return this.#preparer.prepare(name, put, options)
  }

  async putManifest(name: string, put: PutManifest, options?: PrepareOptions): Promise<ManifestReceipt> {
    const { changes, receipt } = await this.prepareManifest(name, put, options)
    await this.#store.commit({ changes }, options)
    return receipt
  }

  deleteManifest(name: string, reference: string, options?: RemoveOptions): Promise<void> {
    return this.#removal.manifest(name, reference, options)
  }

  deleteBlob(name: string, digest: string, options?: RemoveOptions): Promise<void> {
    return this.#removal.blob(name, digest, options)
  }

  referrers(name: string, digest: string, options?: ReferrersOptions): Promise<ReferrersPage> {
    return this.#referrers.list(name, digest, options)
  }

  /** Whether a manifest or a tag is in the repository. */
  exists(name: string, options?: AbortOptions): Promise<boolean> {
    return this.#repositories.exists(name, options)
  }

  tags(name: string, options?: PageOptions): Promise<Page> {
    return this.#tags.list(name, options)
  }

  catalog(options?: PageOptions): Promise<Page> {
    return this.#catalog.list(options)
  }
}
