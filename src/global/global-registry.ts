import type { CID } from 'multiformats/cid'
import type { DagIndex, IpfsNetwork, ProvideQueue } from '../ipfs/node.ts'
import { formatDigest, parseDigest, sameDigest, type Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { parseManifest } from '../oci/manifest.ts'
import { isRepositoryName } from '../oci/reference.ts'
import type { RegistryCore } from '../registry/core.ts'
import { link, linkData } from '../registry/links.ts'
import { checkDigest } from '../registry/names.ts'
import { blobData, inRepository, within } from '../registry/paths.ts'
import type { PreparedManifest } from '../registry/prepare-manifest.ts'
import type { LinkKind } from '../registry/references.ts'
import type {
  Blob, ManifestReceipt, MountSource, Page, PageOptions, PutManifest, ReferrersOptions, ReferrersPage, Registry, StoredManifest, Upload,
} from '../registry/registry.ts'
import type { AbortOptions, Change, ObjectStore } from '../storage/object-store.ts'
import type { CloneObserver } from '../telemetry/clone-observer.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { ClonedImage } from './clone.ts'
import { isHere, type CloneFlight } from './clone-flight.ts'
import { CloneFlights } from './clone-flights.ts'
import type { DiscoService } from './disco-service.ts'
import { GlobalMaker } from './make-global.ts'
import { cidOf, isOnlyPullable } from './names.ts'
import { Recent } from './recent.ts'
import { LATEST } from './repository-tree.ts'

export interface GlobalRegistryParts {
  readonly core: RegistryCore
  /** The store that `core` is over. */
  readonly store: ObjectStore
  readonly index: DagIndex
  readonly provides?: ProvideQueue | undefined
  /** Told of images that are pushed here, and not of those that are cloned. */
  readonly pushed?: ProvideQueue | undefined
  /** Without it, images that are not here are unknown. */
  readonly network?: Pick<IpfsNetwork, 'open'> | undefined
  /** Watches the clones. */
  readonly observer?: CloneObserver | undefined
  readonly log: Logger
}

export interface GlobalRegistryOptions {
  /** `<name>:latest` stays as a local name after a push. @default false */
  readonly keepNames?: boolean | undefined
  /** Nothing is fetched from others. @default false */
  readonly noClone?: boolean | undefined
  /** Most bytes of an image that is fetched. @default any number */
  readonly cloneSize?: number | undefined
  /** Free bytes where blobs go. @default as many as are wanted */
  readonly room?: (() => Promise<number>) | undefined
  /** Nothing may be written, hence nothing fetched. @default false */
  readonly readonly?: boolean | undefined
  /** @default Date.now */
  readonly now?: (() => number) | undefined
}

/** A clone under way, and the image that it brings. */
interface Arriving {
  readonly flight: CloneFlight
  readonly image: ClonedImage
}

/** Where an answer may be found. */
interface Places<T> {
  readonly stored: () => Promise<T>
  readonly arriving: (arriving: Arriving) => T
  readonly recent: () => Promise<T | undefined>
}

/** A registry whose images are global: pushed ones get a CID, and a name that is a CID is cloned when it is asked for. */
export class GlobalRegistry implements Registry, DiscoService {
  readonly #core: RegistryCore
  readonly #store: ObjectStore
  readonly #recent: Recent
  readonly #maker: GlobalMaker
  readonly #clones: CloneFlights | undefined
  readonly #readonly: boolean

  constructor(parts: GlobalRegistryParts, options: GlobalRegistryOptions = {}) {
    const { core, store, network } = parts
    this.#core = core
    this.#store = store
    this.#recent = new Recent(store, options.now)
    this.#maker = new GlobalMaker({ ...parts, recent: this.#recent, keepNames: options.keepNames ?? false })
    this.#readonly = options.readonly ?? false
    this.#clones = network === undefined || options.noClone === true ? undefined : new CloneFlights({ ...parts, network, cloneSize: options.cloneSize, room: options.room })
  }

  /** Ends the clones under way. */
  async close(): Promise<void> {
    await this.#clones?.close()
  }

  isOnlyPullable(name: string): boolean {
    return isOnlyPullable(name)
  }

  async makeGlobalRepo(name: string, options?: AbortOptions): Promise<string> {
    refuseWrite(name)
    const { digest, bytes } = await this.#core.manifest(name, LATEST, options)
    const prepared = await this.#prepare(name, { reference: formatDigest(digest), tags: [LATEST], bytes }, options)
    if (prepared.missing > 0) throw new RegistryError('MANIFEST_BLOB_UNKNOWN', `${prepared.missing} of what ${name}:${LATEST} refers to is not here`)
    // What others push there meanwhile is not what was looked at.
    const expect = [{ path: inRepository(name, within.tagCurrent(LATEST)), data: linkData(digest) }]
    return (await this.#maker.push(prepared, { ...options, expect })).cid.toString()
  }

  async cloneGlobalRepo(name: string, options?: AbortOptions): Promise<void> {
    const cid = cidOf(name)
    if (cid === undefined) throw new RegistryError('NAME_INVALID', `${name} is not the CID of an image`)
    if (await isHere(this.#store, name, options)) return
    await this.#board(cid).complete(options)
  }

  blob(name: string, digest: string, options?: AbortOptions): Promise<Blob> {
    return this.#find(name, options, {
      stored: () => this.#core.blob(name, digest, options),
      arriving: (arriving) => blobOf(arriving, digest),
      recent: () => this.#recentBlob(name, digest, options),
    })
  }

  manifest(name: string, reference: string, options?: AbortOptions): Promise<StoredManifest> {
    return this.#find(name, options, {
      stored: () => this.#core.manifest(name, reference, options),
      arriving: ({ image }) => manifestOf(image, reference),
      recent: () => this.#recentManifest(name, reference, options),
    })
  }

  tags(name: string, options: PageOptions = {}): Promise<Page> {
    const { limit = 1, after = '' } = options
    return this.#find(name, options, {
      stored: () => this.#core.tags(name, options),
      arriving: () => ({ entries: limit > 0 && after < LATEST ? [LATEST] : [], more: false }),
      recent: async () => undefined,
    })
  }

  catalog(options?: PageOptions): Promise<Page> {
    return this.#core.catalog(options)
  }

  /** Of an image that is not here there are none here: asking clones nothing. */
  referrers(name: string, digest: string, options?: ReferrersOptions): Promise<ReferrersPage> {
    return this.#core.referrers(name, digest, options)
  }

  async mount(name: string, digest: string, source: MountSource, options?: AbortOptions): Promise<Digest | undefined> {
    refuseWrite(name)
    const { from, mayPull = () => true } = source
    // Who may pull what he knows the CID or digest of does not know those of an image because he knows one of its layers'.
    const searched = from === undefined && source.mayPull !== undefined ? { mayPull: (repository: string) => !isOnlyPullable(repository) && mayPull(repository) } : source
    const mounted = await this.#core.mount(name, digest, searched, options)
    if (mounted !== undefined) return mounted
    const recent = from !== undefined && isRepositoryName(from) && mayPull(from) ? await this.#recentBlob(from, digest, options) : undefined
    if (recent === undefined) return undefined
    await this.#store.commit({ changes: [link(inRepository(name, within.layer(recent.digest)), recent.digest)] }, options)
    return recent.digest
  }

  async startUpload(name: string, options?: AbortOptions): Promise<Upload> {
    refuseWrite(name)
    return this.#core.startUpload(name, options)
  }

  upload(name: string, id: string, options?: AbortOptions): Promise<Upload> {
    return this.#core.upload(name, id, options)
  }

  async appendUpload(name: string, id: string, offset: number | undefined, source: AsyncIterable<Uint8Array>, options?: AbortOptions): Promise<Upload> {
    refuseWrite(name)
    return this.#core.appendUpload(name, id, offset, source, options)
  }

  async finishUpload(name: string, id: string, digest: string, options?: AbortOptions): Promise<Digest> {
    refuseWrite(name)
    return this.#core.finishUpload(name, id, digest, options)
  }

  async cancelUpload(name: string, id: string, options?: AbortOptions): Promise<void> {
    refuseWrite(name)
    return this.#core.cancelUpload(name, id, options)
  }

  async putManifest(name: string, put: PutManifest, options?: AbortOptions): Promise<ManifestReceipt> {
    refuseWrite(name)
    const prepared = await this.#prepare(name, put, options)
    const { receipt, missing } = prepared
    if (missing > 0) {
      // What it lacks would be lacking to everybody; and whoever has the rest elsewhere has not shown it here.
      await this.#store.commit({ changes: prepared.changes }, options)
      return { ...receipt, warning: `${name} is not global: ${missing} of what it refers to is not here; push it again when it is` }
    }
    const cid = (await this.#maker.push(prepared, options)).cid.toString()
    return { ...receipt, cid, ...(this.#maker.forgetsLatest(prepared.tags) ? { warning: `${name}:${LATEST} is now ${cid}` } : {}) }
  }

  #prepare(name: string, put: PutManifest, options?: AbortOptions): Promise<PreparedManifest> {
    return this.#core.prepareManifest(name, put, { ...options, known: (kind, digest) => this.#recent.isKnown(name, kind, digest, options) })
  }

  async deleteManifest(name: string, reference: string, options?: AbortOptions): Promise<void> {
    refuseWrite(name)
    await this.#core.deleteManifest(name, reference, { ...options, along: this.#remembered(name, options) })
  }

  async deleteBlob(name: string, digest: string, options?: AbortOptions): Promise<void> {
    refuseWrite(name)
    await this.#core.deleteBlob(name, digest, { ...options, along: this.#remembered(name, options) })
  }

  /** What a name that went is remembered to have had is gone, too: once deleted, nobody gets it there. */
  #remembered(name: string, options?: AbortOptions): (kind: LinkKind, digest: Digest) => Promise<Change[]> {
    return (kind, digest) => this.#recent.forget(name, kind, digest, options)
  }

  /** The store's answer comes first: only what it does not know may be on its way in, or just have gone. */
  async #find<T>(name: string, options: AbortOptions | undefined, { stored, arriving, recent }: Places<T>): Promise<T> {
    try {
      return await stored()
    } catch (error) {
      if (!(error instanceof RegistryError) || error.status !== 404) throw error
      const cid = cidOf(name)
      if (cid === undefined) {
        const found = await recent()
        if (found === undefined) throw error
        return found
      }
      if (await isHere(this.#store, name, options)) return stored()
      const flight = this.#board(cid)
      const image = await flight.image(options)
      return image === undefined ? stored() : arriving({ flight, image })
    }
  }

  #board(cid: CID): CloneFlight {
    // Others may have it: that it is not here proves nothing while nobody is asked.
    if (this.#readonly && this.#clones !== undefined) throw new RegistryError('UNAVAILABLE', `${cid} is not here, and nothing is fetched while the registry is read-only for maintenance`)
    if (this.#clones === undefined) throw new RegistryError('NAME_UNKNOWN', undefined, { detail: { name: cid.toString() } })
    return this.#clones.board(cid)
  }

  async #recentBlob(name: string, text: string, options?: AbortOptions): Promise<Blob | undefined> {
    const digest = parseDigest(text)
    if (digest === undefined || !await this.#recent.isReadable(name, 'layer', digest, options)) return undefined
    const stat = await this.#store.stat(blobData(digest), options)
    return stat && { digest, size: stat.size, read: (range) => this.#store.read(blobData(digest), range) }
  }

  async #recentManifest(name: string, reference: string, options?: AbortOptions): Promise<StoredManifest | undefined> {
    const digest = parseDigest(reference)
    if (digest === undefined || !await this.#recent.isReadable(name, 'revision', digest, options)) return undefined
    const bytes = await this.#store.get(blobData(digest), options)
    return bytes && { digest, mediaType: parseManifest(bytes).mediaType, bytes }
  }
}

/** @throws RegistryError DENIED */
function refuseWrite(name: string): void {
  if (isOnlyPullable(name)) throw new RegistryError('DENIED', 'a repository that is named by what it holds can only be pulled', { detail: { name } })
}

function manifestOf({ digest, manifests }: ClonedImage, reference: string): StoredManifest {
  const wanted = reference.includes(':') ? formatDigest(checkDigest(reference)) : reference
  const manifest = manifests.get(wanted === LATEST ? formatDigest(digest) : wanted)
  if (manifest === undefined) throw new RegistryError('MANIFEST_UNKNOWN', undefined, { detail: { reference } })
  return manifest
}

function blobOf({ flight, image }: Arriving, text: string): Blob {
  const digest = checkDigest(text)
  const entry = image.entries.find((candidate) => candidate.blob && sameDigest(candidate.digest, digest))
  if (entry === undefined) throw new RegistryError('BLOB_UNKNOWN', undefined, { detail: { digest: text } })
  return { digest, size: entry.size, read: (range) => flight.read(entry, range) }
}
