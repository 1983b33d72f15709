import type { DagIndex, ProvideQueue } from '../ipfs/node.ts'
import { RegistryError } from '../oci/errors.ts'
import { inRepository } from '../registry/paths.ts'
import type { PreparedManifest } from '../registry/prepare-manifest.ts'
import { ConflictError, StorageFailedError } from '../storage/errors.ts'
import type { AbortOptions, Batch, Change, ObjectStore } from '../storage/object-store.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Root } from './closure.ts'
import { forgetLatest } from './forget-name.ts'
import { placeImage, type PlacedImage } from './place-image.ts'
import type { Recent } from './recent.ts'
import { globalRepositories, LATEST } from './repository-tree.ts'

export interface MakeGlobalParts {
  readonly store: ObjectStore
  readonly index: DagIndex
  readonly provides?: ProvideQueue | undefined
  readonly recent: Recent
  readonly log: Logger
  /** `<name>:latest` stays after it was made global. */
  readonly keepNames: boolean
}

/** Others can only come in between by tagging the name, after which there is nothing left to collide with. */
const ATTEMPTS = 10

/** Makes images global: one transaction each, before which nothing of it is visible. */
export class GlobalMaker {
  readonly #parts: MakeGlobalParts

  constructor(parts: MakeGlobalParts) {
    this.#parts = parts
  }

  /** Stores a manifest and makes its image global. @throws RegistryError, StorageFailedError; nothing has changed then */
  async push({ name, tag, digest, bytes, changes }: PreparedManifest, options: AbortOptions = {}): Promise<PlacedImage> {
    const below = inRepository(name, '')
    const isNames = (change: Change): boolean => 'put' in change && change.put.startsWith(below)
    const data = changes.filter((change) => !isNames(change))
    const named = changes.filter(isNames)
    return this.#make({ digest, bytes }, async (image) => {
      if (tag !== LATEST || this.#parts.keepNames) return { changes: [...data, ...globalRepositories(image.cid, digest, image.tree), ...named] }
      return this.#withoutLatest(name, image, data, options)
    }, options)
  }

  /** Makes global what a name's `latest` is. */
  async latest(name: string, root: Root, options: AbortOptions = {}): Promise<PlacedImage> {
    return this.#make(root, async (image) => {
      if (this.#parts.keepNames) return { changes: globalRepositories(image.cid, image.digest, image.tree) }
      return this.#withoutLatest(name, image, [], options)
    }, options)
  }

  async #withoutLatest(name: string, image: PlacedImage, data: readonly Change[], options: AbortOptions): Promise<Batch> {
    const { store, recent } = this.#parts
    const { expect, changes } = await forgetLatest(store, recent, name, image.entries, options)
    return { expect, changes: [...data, ...globalRepositories(image.cid, image.digest, image.tree), ...changes] }
  }

  async #make(root: Root, batchOf: (image: PlacedImage) => Promise<Batch>, options: AbortOptions): Promise<PlacedImage> {
    try {
      const image = await placeImage(this.#parts.store, this.#parts.index, root, options)
      await this.#commit(() => batchOf(image), options)
      await this.#provide(image)
      return image
    } catch (cause) {
      options.signal?.throwIfAborted()
      if (cause instanceof RegistryError || cause instanceof StorageFailedError) throw cause
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new RegistryError('UNAVAILABLE', `the image could not be made global: ${reason}`, { cause })
    }
  }

  async #commit(batch: () => Promise<Batch>, options: AbortOptions): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#parts.store.commit(await batch(), options)
      } catch (error) {
        if (!(error instanceof ConflictError) || attempt === ATTEMPTS) throw error
      }
    }
  }

  /** The image is global whether or not the news can be queued. */
  async #provide({ cid, entries }: PlacedImage): Promise<void> {
    try {
      await this.#parts.provides?.provide([cid, ...entries.map((entry) => entry.cid)])
    } catch (err) {
      this.#parts.log.error({ err, cid: cid.toString() }, 'cannot queue the image for providing')
    }
  }
}
