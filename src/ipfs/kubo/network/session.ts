import type { CID } from 'multiformats/cid'
import { formatDigest } from '../../../oci/digest.ts'
import type { AbortOptions } from '../../../storage/object-store.ts'
import type { Logger } from '../../../telemetry/logger.ts'
import { encodeCar } from '../../car.ts'
import type { FileFetch, ImageSession, Tree, TreeLimits, WantedFile } from '../../node.ts'
import { layoutTree } from '../../unixfs/tree-layout.ts'
import type { FetchBlock } from '../../unixfs/walk-file.ts'
import { walkTree, type WalkedTree } from '../../unixfs/walk-tree.ts'
import { Window } from '../../unixfs/window.ts'
import type { HeldDags } from '../dag/held-dags.ts'
import { KuboSessionFile, type KuboFileParts } from './session-file.ts'
import { unavailable } from './source.ts'
import { repositoryOf } from '../store/tree.ts'

export interface KuboSessionParts extends Omit<KuboFileParts, 'signal' | 'label' | 'window'> {
  /** Takes what images name and is at its path in another layout. */
  readonly held: Pick<HeldDags, 'hold'>
  readonly log: Logger
}

/** Blocks of gateways that all files of a session together may have fetched ahead: at 1 MiB each, what a clone costs in memory. */
const BLOCKS_AHEAD = 16
/** Bytes of a root that are kept while the image waits its turn; a repository's has 200. */
const KEPT_ROOT = 16 * 1024
/** A clone of one image into the nodes: they fetch, we verify. */
export class KuboSession implements ImageSession {
  readonly #root: CID
  readonly #parts: KuboSessionParts
  readonly #closed = new AbortController()
  readonly #window = new Window(BLOCKS_AHEAD)
  readonly #files = new Map<string, KuboSessionFile>()
  readonly #begun: KuboSessionFile[] = []
  #rootBlock: Uint8Array | undefined
  #tree: WalkedTree | undefined

  constructor(root: CID, parts: KuboSessionParts) {
    this.#root = root
    this.#parts = parts
  }

  async find(options: AbortOptions = {}): Promise<void> {
    const bytes = await this.#fetch(this.#root, { signal: this.#until(options.signal) })
    if (bytes.length <= KEPT_ROOT) this.#rootBlock = bytes
  }

  async tree(limits: TreeLimits, options: AbortOptions = {}): Promise<Tree> {
    this.#tree = await walkTree(this.#root, this.#fetch, { limits, window: this.#window, signal: this.#until(options.signal) })
    return this.#tree.tree
  }

  fetch(wanted: WantedFile): FileFetch {
    const key = [wanted.path, wanted.cid, formatDigest(wanted.digest), JSON.stringify(wanted.size)].join(' ')
    const known = this.#files.get(key)
    if (known !== undefined && !known.failed) return known
    const file = new KuboSessionFile(wanted, { ...this.#parts, window: this.#window, signal: this.#closed.signal, label: this.#root.toString() })
    this.#files.set(key, file)
    this.#begun.push(file)
    return file
  }

  async keep(options: AbortOptions = {}): Promise<void> {
    try {
      for (const file of this.#files.values()) {
        if (file.failed || !file.isBeside) continue
        await this.#parts.held.hold({ node: file.node, root: file.wanted.cid, path: file.wanted.path }, options)
      }
      // What the commit lays out itself is there with it.
      if (this.#tree === undefined || layoutTree(this.#tree.tree).root.equals(this.#root)) return
      await this.#keepTree(this.#tree, options)
    } catch (error) {
      throw unavailable(error)
    }
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error(`the session of ${this.#root} was closed`))
    await Promise.allSettled(this.#begun.map(({ done }) => done))
    for (const file of this.#begun) {
      try {
        await file.release()
      } catch (err) {
        this.#parts.log.warn({ err, cid: this.#root.toString() }, 'cannot remove what a clone left')
      }
    }
    await this.#parts.blocks.close()
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

  readonly #fetch: FetchBlock = async (cid, options) => {
    if (this.#rootBlock !== undefined && cid.equals(this.#root)) return this.#rootBlock
    return this.#parts.blocks.fetch(cid, options)
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal])
  }
}
