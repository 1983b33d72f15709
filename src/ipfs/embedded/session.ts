import type { CID } from 'multiformats/cid'
import type { AbortOptions, ObjectStore } from '../../storage/object-store.ts'
import type { BlockObserver } from '../../telemetry/block-observer.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { BlockSource } from '../block-source.ts'
import { VerificationError } from '../errors.ts'
import { ImageFetch } from '../image-fetch.ts'
import type { FileFetch, ImageSession, Tree, TreeLimits, WantedFile } from '../node.ts'
import { inlined, SHA2_256 } from '../unixfs/block.ts'
import type { FetchBlock } from '../unixfs/walk-file.ts'
import { Window } from '../unixfs/window.ts'
import type { EmbeddedDagIndex } from './dag-index.ts'
import { SessionFile } from './session-file.ts'

export interface SessionParts {
  /** Closed with the session. */
  readonly source: BlockSource
  readonly store: ObjectStore
  readonly index: Pick<EmbeddedDagIndex, 'file' | 'blocks' | 'layouts'>
  /** Chunks of all sessions that may be kept for those who read along. @default those of this one */
  readonly room?: Window | undefined
  /** Hears of every block. */
  readonly observer?: BlockObserver | undefined
  readonly log: Logger
}

/** Chunks of files that are kept in memory for those who read along, a MiB each. */
export const KEPT_CHUNKS = 24

/** A clone of one image, from a source of blocks into the store. */
export class EmbeddedSession implements ImageSession {
  readonly #root: CID
  readonly #parts: SessionParts
  readonly #image: ImageFetch<SessionFile>

  constructor(root: CID, parts: SessionParts) {
    const { source, store, index, log, room = new Window(KEPT_CHUNKS) } = parts
    this.#root = root
    this.#parts = parts
    this.#image = new ImageFetch(root, {
      fetch: this.#fetch,
      begin: (wanted, ground) => new SessionFile(wanted, { store, index, room, ...ground }),
      close: () => source.close(),
      log,
    })
  }

  find(options: AbortOptions = {}): Promise<void> {
    return this.#image.find(options)
  }

  tree(limits: TreeLimits, options: AbortOptions = {}): Promise<Tree> {
    return this.#image.tree(limits, options)
  }

  fetch(wanted: WantedFile): FileFetch {
    return this.#image.fetch(wanted)
  }

  async keep(options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    const { index, log } = this.#parts
    const { walked } = this.#image
    for (const file of this.#image.files()) await file.keep(options)
    await index.blocks.putTree(this.#root, walked?.blocks ?? [], options)
    const layout = await index.layouts?.write(this.#root, walked, [...this.#image.files()].map(({ wanted }) => wanted), options)
    if (layout?.overfull === true) log.warn({ cid: this.#root.toString() }, 'how an image is laid out is more than is kept of it: other Discos on this store will not give it to peers')
    return layout?.record
  }

  close(): Promise<void> {
    return this.#image.close()
  }

  /** What is here already need not come again. */
  readonly #fetch: FetchBlock = async (cid, options) => {
    const inline = inlined(cid)
    if (inline !== undefined) return inline
    if (cid.multihash.code !== SHA2_256) throw new VerificationError(`block ${cid} has a hash that is not supported: 0x${cid.multihash.code.toString(16)}`)
    const here = await this.#local(cid, options)
    if (here === undefined) return this.#parts.source.fetch(cid, options)
    this.#parts.observer?.received('local', here.length)
    return here
  }

  async #local(cid: CID, options: AbortOptions): Promise<Uint8Array | undefined> {
    try {
      return await this.#parts.index.blocks.get(cid, options)
    } catch (err) {
      options.signal?.throwIfAborted()
      // Damaged here may be whole elsewhere.
      this.#parts.log.warn({ err, cid: cid.toString() }, 'cannot read a block that should be here')
      return undefined
    }
  }
}
