import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import { encodeCar } from '../../car.ts'
import { ImageFetch, type FileGround } from '../../image-fetch.ts'
import type { FileFetch, ImageSession, Tree, TreeLimits, WantedFile } from '../../node.ts'
import { layoutTree } from '../../unixfs/tree-layout.ts'
import type { WalkedTree } from '../../unixfs/walk-tree.ts'
import type { HeldDags } from '../dag/held-dags.ts'
import { repositoryOf } from '../store/tree.ts'
import { KuboSessionFile, type KuboFileParts } from './session-file.ts'
import { unavailable } from './source.ts'

export interface KuboSessionParts extends Omit<KuboFileParts, keyof FileGround> {
  /** Takes what images name and is at its path in another layout. */
  readonly held: Pick<HeldDags, 'hold'>
  readonly log: Logger
}

/** A clone of one image into the nodes: they fetch, we verify. */
export class KuboSession implements ImageSession {
  readonly #root: CID
  readonly #parts: KuboSessionParts
  readonly #image: ImageFetch<KuboSessionFile>

  constructor(root: CID, parts: KuboSessionParts) {
    const { blocks, log } = parts
    this.#root = root
    this.#parts = parts
    this.#image = new ImageFetch(root, {
      fetch: (cid, options) => blocks.fetch(cid, options),
      begin: (wanted, { window, signal, label }) => new KuboSessionFile(wanted, { ...parts, window, signal, label }),
      close: () => blocks.close(),
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

  async keep(options: AbortOptions = {}): Promise<undefined> {
    const { walked } = this.#image
    try {
      for (const file of this.#image.files()) {
        if (file.isBeside) await this.#parts.held.hold({ node: file.node, root: file.wanted.cid, path: file.wanted.path }, options)
      }
      // What the commit lays out itself is there with it.
      if (walked === undefined || layoutTree(walked.tree).root.equals(this.#root)) return
      await this.#keepTree(walked, options)
    } catch (error) {
      throw unavailable(error)
    }
  }

  close(): Promise<void> {
    return this.#image.close()
  }

  async #keepTree({ blocks }: WalkedTree, options: AbortOptions): Promise<void> {
    // Where the commit will put it.
    const path = repositoryOf(this.#root)
    const node = this.#parts.nodes.nodeOf(path)
    const hold = this.#parts.holds.of(node, this.#root)
    try {
      await hold.store(encodeCar(hold.cid, blocks), options)
      await this.#parts.held.hold({ node, root: this.#root, path }, options)
    } finally {
      await hold.release()
    }
  }
}
