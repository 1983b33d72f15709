import type { Digest } from '../oci/digest.ts'
import type { Referrer } from '../oci/referrer.ts'
import type { AbortOptions, ByteRange } from '../storage/object-store.ts'

export interface Blob {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** A chunk is the reader's until it asks for the next one. */
  read(range?: ByteRange & AbortOptions): AsyncIterable<Uint8Array>
  /** Where the client gets it itself, for some minutes and without a login. @default it has to be read */
  readonly url?: ((method: 'GET' | 'HEAD') => Promise<string | undefined>) | undefined
}

export interface StoredManifest {
  readonly digest: Digest
  readonly mediaType: string
  readonly bytes: Uint8Array
}

export interface Upload {
  readonly id: string
  /** Bytes received so far. */
  readonly size: number
}

export interface PutManifest {
  /** A tag, or the digest that the bytes must have. */
  readonly reference: string
  /** Tags that it gets as well: the query parameters `tag` of a push by digest. */
  readonly tags?: readonly string[] | undefined
  /** The request's `Content-Type`, if it had one. */
  readonly contentType?: string | undefined
  readonly bytes: Uint8Array
}

export interface ManifestReceipt {
  readonly digest: Digest
  /** Digest of the manifest's subject, which the client learns from `OCI-Subject`. */
  readonly subject?: Digest
  /** The tags of the query that it got, which the client learns from `OCI-Tag`. */
  readonly tags?: readonly string[]
  /** The image's global name, where the registry gives it one. */
  readonly cid?: string
  /** What the client should read although the push succeeded; printable ASCII. */
  readonly warning?: string
}

/** Where a blob may be mounted from. */
export interface MountSource {
  /** The repository that the client named; undefined: any that has it. */
  readonly from?: string | undefined
  /** Whether the client may pull from a repository. @default it may from all */
  readonly mayPull?: ((repository: string) => boolean) | undefined
}

export interface PageOptions extends AbortOptions {
  /** Entries at most: the query parameter `n`. */
  readonly limit?: number | undefined
  /** Only what sorts after it: the query parameter `last`. */
  readonly after?: string | undefined
}

export interface Page {
  readonly entries: readonly string[]
  /** There is more after the last entry. */
  readonly more: boolean
}

export interface ReferrersOptions extends PageOptions {
  /** Only referrers of this type. */
  readonly artifactType?: string | undefined
}

/** A part of the list of referrers. With a filter it may have few of them, or none, although there are more. */
export interface ReferrersPage {
  readonly referrers: readonly Referrer[]
  /** What `after` has to be for the next part; undefined: there is none. */
  readonly next: string | undefined
}

/**
 * What any OCI registry does. Names and references come in as the client wrote them; everything that is wrong with a
 * request is thrown as RegistryError with the spec's code.
 */
export interface Registry {
  /** @throws BLOB_UNKNOWN, NAME_UNKNOWN, NAME_INVALID, DIGEST_INVALID */
  blob(name: string, digest: string, options?: AbortOptions): Promise<Blob>

  /** Makes a blob of another repository one of `name`; undefined where it can't, and the client uploads instead. */
  mount(name: string, digest: string, source: MountSource, options?: AbortOptions): Promise<Digest | undefined>

  startUpload(name: string, options?: AbortOptions): Promise<Upload>
  /** @throws BLOB_UPLOAD_UNKNOWN */
  upload(name: string, id: string, options?: AbortOptions): Promise<Upload>
  /** Appends at `offset` (where the client named one; else at the end). @throws BLOB_UPLOAD_INVALID, 416, with the upload's `Range` */
  appendUpload(name: string, id: string, offset: number | undefined, source: AsyncIterable<Uint8Array>, options?: AbortOptions): Promise<Upload>
  /** @throws DIGEST_INVALID */
  finishUpload(name: string, id: string, digest: string, options?: AbortOptions): Promise<Digest>
  cancelUpload(name: string, id: string, options?: AbortOptions): Promise<void>

  /** @throws MANIFEST_UNKNOWN, NAME_UNKNOWN */
  manifest(name: string, reference: string, options?: AbortOptions): Promise<StoredManifest>
  /** @throws MANIFEST_INVALID, MANIFEST_BLOB_UNKNOWN, DIGEST_INVALID */
  putManifest(name: string, put: PutManifest, options?: AbortOptions): Promise<ManifestReceipt>
  /**
   * Deletes a tag; or, by its digest, a manifest with every tag that points to it. The data stays, and so does what is
   * in other repositories.
   *
   * @throws MANIFEST_UNKNOWN, NAME_UNKNOWN, DIGEST_INVALID
   */
  deleteManifest(name: string, reference: string, options?: AbortOptions): Promise<void>
  /** Takes a blob out of the repository; the data stays. @throws BLOB_UNKNOWN, NAME_UNKNOWN, DIGEST_INVALID */
  deleteBlob(name: string, digest: string, options?: AbortOptions): Promise<void>

  /** The manifests whose subject is `digest`, in the order of their digests; none is no error, nor is an unknown name. @throws DIGEST_INVALID, NAME_INVALID */
  referrers(name: string, digest: string, options?: ReferrersOptions): Promise<ReferrersPage>

  /** @throws NAME_UNKNOWN */
  tags(name: string, options?: PageOptions): Promise<Page>
  catalog(options?: PageOptions): Promise<Page>
}
