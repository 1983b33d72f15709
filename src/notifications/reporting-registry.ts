import { randomUUID } from 'node:crypto'
import { formatDigest, type Digest } from '../oci/digest.ts'
import { parseManifest } from '../oci/manifest.ts'
import type {
  Blob, ManifestReceipt, MountSource, Page, PageOptions, PutManifest, ReferrersOptions, ReferrersPage, Registry, StoredManifest, Upload,
} from '../registry/registry.ts'
import type { AbortOptions } from '../storage/object-store.ts'
import type { EventAction, EventReference, EventRequest, EventSource, EventTarget } from './event.ts'
import type { EventSink } from './notifications.ts'

/** The request on whose behalf a registry is asked. */
export interface EventContext {
  readonly request: EventRequest
  /** `https://registry.example:1970`, before the paths of `url`. */
  readonly origin: string
  readonly user: string | undefined
  readonly source: EventSource
  /** Whether events of manifests tell what these refer to. */
  readonly includeReferences: boolean
}

const BLOB = 'application/octet-stream'

/** A registry as one request sees it, which tells what the request did. What fails is not told. */
export class ReportingRegistry implements Registry {
  readonly #registry: Registry
  readonly #context: EventContext
  readonly #sink: EventSink

  constructor(registry: Registry, context: EventContext, sink: EventSink) {
    this.#registry = registry
    this.#context = context
    this.#sink = sink
  }

  async blob(name: string, digest: string, options?: AbortOptions): Promise<Blob> {
    const blob = await this.#registry.blob(name, digest, options)
    if (this.#isPull()) await this.#tell('pull', this.#blobTarget(name, blob))
    return blob
  }

  async mount(name: string, digest: string, source: MountSource, options?: AbortOptions): Promise<Digest | undefined> {
    const mounted = await this.#registry.mount(name, digest, source, options)
    if (mounted !== undefined) {
      const target = this.#blobTarget(name, await this.#registry.blob(name, digest, options))
      await this.#tell('mount', source.from === undefined ? target : { ...target, fromRepository: source.from })
    }
    return mounted
  }

  startUpload(name: string, options?: AbortOptions): Promise<Upload> {
    return this.#registry.startUpload(name, options)
  }

  upload(name: string, id: string, options?: AbortOptions): Promise<Upload> {
    return this.#registry.upload(name, id, options)
  }

  appendUpload(name: string, id: string, offset: number | undefined, source: AsyncIterable<Uint8Array>, options?: AbortOptions): Promise<Upload> {
    return this.#registry.appendUpload(name, id, offset, source, options)
  }

  async finishUpload(name: string, id: string, digest: string, options?: AbortOptions): Promise<Digest> {
    const { size } = await this.#registry.upload(name, id, options)
    const finished = await this.#registry.finishUpload(name, id, digest, options)
    await this.#tell('push', this.#blobTarget(name, { digest: finished, size }))
    return finished
  }

  cancelUpload(name: string, id: string, options?: AbortOptions): Promise<void> {
    return this.#registry.cancelUpload(name, id, options)
  }

  async manifest(name: string, reference: string, options?: AbortOptions): Promise<StoredManifest> {
    const manifest = await this.#registry.manifest(name, reference, options)
    if (this.#isPull()) await this.#tell('pull', this.#manifestTarget(name, manifest, tagOf(reference)))
    return manifest
  }

  /** Each tag is an event of its own: an event has room for one. */
  async putManifest(name: string, put: PutManifest, options?: AbortOptions): Promise<ManifestReceipt> {
    const receipt = await this.#registry.putManifest(name, put, options)
    const target = this.#manifestTarget(name, { digest: receipt.digest, bytes: put.bytes, mediaType: parseManifest(put.bytes).mediaType }, undefined)
    const pushed = receipt.cid === undefined ? target : { ...target, cid: receipt.cid }
    const tags = [tagOf(put.reference), ...(receipt.tags ?? [])].filter((tag) => tag !== undefined)
    if (tags.length === 0) await this.#tell('push', pushed)
    for (const tag of tags) await this.#tell('push', { ...pushed, tag })
    return receipt
  }

  async deleteManifest(name: string, reference: string, options?: AbortOptions): Promise<void> {
    await this.#registry.deleteManifest(name, reference, options)
    const tag = tagOf(reference)
    await this.#tell('delete', { repository: name, ...(tag === undefined ? { digest: reference } : { tag }) })
  }

  async deleteBlob(name: string, digest: string, options?: AbortOptions): Promise<void> {
    await this.#registry.deleteBlob(name, digest, options)
    await this.#tell('delete', { repository: name, digest })
  }

  referrers(name: string, digest: string, options?: ReferrersOptions): Promise<ReferrersPage> {
    return this.#registry.referrers(name, digest, options)
  }

  tags(name: string, options?: PageOptions): Promise<Page> {
    return this.#registry.tags(name, options)
  }

  catalog(options?: PageOptions): Promise<Page> {
    return this.#registry.catalog(options)
  }

  /** Whoever asks by HEAD takes nothing. */
  #isPull(): boolean {
    return this.#context.request.method === 'GET'
  }

  #blobTarget(name: string, { digest, size }: { readonly digest: Digest; readonly size: number }): EventTarget {
    const text = formatDigest(digest)
    return { mediaType: BLOB, digest: text, size, length: size, repository: name, url: `${this.#context.origin}/v2/${name}/blobs/${text}` }
  }

  #manifestTarget(name: string, { digest, mediaType, bytes }: StoredManifest, tag: string | undefined): EventTarget {
    const { origin, includeReferences } = this.#context
    const text = formatDigest(digest)
    const size = bytes.length
    return {
      mediaType,
      digest: text,
      size,
      length: size,
      repository: name,
      url: `${origin}/v2/${name}/manifests/${text}`,
      ...(tag === undefined ? {} : { tag }),
      ...(includeReferences ? { references: referencesOf(bytes) } : {}),
    }
  }

  #tell(action: EventAction, target: EventTarget): Promise<void> {
    const { request, user, source } = this.#context
    const actor = user === undefined ? {} : { name: user }
    return this.#sink.tell({ id: randomUUID(), timestamp: new Date().toISOString(), action, target, request, actor, source })
  }
}

function tagOf(reference: string): string | undefined {
  return reference.includes(':') ? undefined : reference
}

function referencesOf(bytes: Uint8Array): EventReference[] {
  const { blobs, manifests } = parseManifest(bytes)
  return [...manifests, ...blobs].map(({ mediaType, digest, size }) => ({ mediaType, digest: formatDigest(digest), size }))
}
