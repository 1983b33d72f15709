import type { DagIndex, ProvideQueue } from '../ipfs/node.ts'
import { RegistryError } from '../oci/errors.ts'
import { inRepository, within } from '../registry/paths.ts'
import type { PreparedManifest } from '../registry/prepare-manifest.ts'
import { ConflictError, StorageFailedError } from '../storage/errors.ts'
import type { AbortOptions, Batch, Change, Expectation, ObjectStore } from '../storage/object-store.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Root } from './closure.ts'
import { forgetLatest, outlivesLatest, type Forgetting } from './forget-name.ts'
import { placeImage, type PlacedImage } from './place-image.ts'
import type { Recent } from './recent.ts'
import { globalRepositories, LATEST } from './repository-tree.ts'

export interface MakeGlobalParts {
  readonly store: ObjectStore
  readonly index: DagIndex
  readonly provides?: ProvideQueue | undefined
  readonly pushed?: ProvideQueue | undefined
  readonly recent: Recent
  readonly log: Logger
  /** `<name>:latest` stays after it was made global. */
  readonly keepNames: boolean
}

export interface PushOptions extends AbortOptions {
  /** What else must hold when it is committed. */
  readonly expect?: readonly Expectation[] | undefined
}

/** What a push to `latest` changes in its name. */
interface NamedChanges {
  /** It tags it otherwise as well, or refers to another image: all but `latest` stays. */
  readonly more: boolean
  readonly named: readonly Change[]
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
  async push(prepared: PreparedManifest, options: PushOptions = {}): Promise<PlacedImage> {
    const { name, tags, digest, bytes, changes, receipt } = prepared
    const below = inRepository(name, '')
    const isNames = (change: Change): boolean => 'put' in change && change.put.startsWith(below)
    const data = changes.filter((change) => !isNames(change))
    const named = changes.filter(isNames)
    return this.#make({ digest, bytes }, async (image) => {
      const shown = [...data, ...globalRepositories(image)]
      if (!this.forgetsLatest(tags)) return { expect: options.expect ?? [], changes: [...shown, ...named] }
      const more = tags.length > 1 || receipt.subject !== undefined
      const batch = await this.#withoutLatest(name, image, shown, { more, named }, options)
      return { ...batch, expect: [...options.expect ?? [], ...batch.expect] }
    }, options)
  }

  /** Whether `latest` goes after a push to these tags. */
  forgetsLatest(tags: readonly string[]): boolean {
    return tags.includes(LATEST) && !this.#parts.keepNames
  }

  async #withoutLatest(name: string, image: PlacedImage, shown: readonly Change[], push: NamedChanges, options: AbortOptions): Promise<Forgetting> {
    const { store, recent } = this.#parts
    const stays = push.more || await outlivesLatest(store, name, options)
    const { expect, changes } = await forgetLatest(store, recent, name, image.entries, stays, options)
    const latest = inRepository(name, `${within.tag(LATEST)}/`)
    const named = stays ? push.named.filter((change) => !('put' in change && change.put.startsWith(latest))) : []
    return { expect, changes: [...shown, ...named, ...changes] }
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
    const { provides, pushed, log } = this.#parts
    const roots = [cid, ...entries.map((entry) => entry.cid)]
    try {
      await Promise.all([provides?.provide(roots), pushed?.provide(roots)])
    } catch (err) {
      log.error({ err, cid: cid.toString() }, 'cannot queue the image for providing')
    }
  }
}
