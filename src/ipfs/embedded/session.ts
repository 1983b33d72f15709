import type { CID } from 'multiformats/cid'
import { formatDigest } from '../../oci/digest.ts'
import type { AbortOptions, ObjectStore } from '../../storage/object-store.ts'
import type { BlockObserver } from '../../telemetry/block-observer.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { BlockSource } from '../block-source.ts'
import { VerificationError } from '../errors.ts'
import type { FileFetch, ImageSession, Tree, TreeLimits, WantedFile } from '../node.ts'
import { inlined, SHA2_256 } from '../unixfs/block.ts'
import type { FetchBlock } from '../unixfs/walk-file.ts'
import { walkTree, type WalkedTree } from '../unixfs/walk-tree.ts'
import { Window } from '../unixfs/window.ts'
import type { EmbeddedDagIndex } from './dag-index.ts'
import { SessionFile } from './session-file.ts'

export interface SessionParts {
  /** Closed with the session. */
  readonly source: BlockSource
  readonly store: ObjectStore
  readonly index: Pick<EmbeddedDagIndex, 'file' | 'blocks'>
  /** Hears of every block. */
  readonly observer?: BlockObserver | undefined
  readonly log: Logger
}

/** Blocks that all files of a session together may have fetched ahead: at 1 MiB each, what a clone costs in memory. */
const BLOCKS_AHEAD = 16
/** Bytes of a root that are kept while the image waits its turn; a repository's has 200. */
const KEPT_ROOT = 16 * 1024

/** A clone of one image, from a source of blocks into the store. */
export class EmbeddedSession implements ImageSession {
  readonly #root: CID
  readonly #parts: SessionParts
  readonly #closed = new AbortController()
  readonly #window = new Window(BLOCKS_AHEAD)
  readonly #files = new Map<string, SessionFile>()
  readonly #begun: SessionFile[] = []
  #rootBlock: Uint8Array | undefined
  #tree: WalkedTree | undefined

  constructor(root: CID, parts: SessionParts) {
    this.#root = root
    this.#parts = parts
  }

  async find(options: AbortOptions = {}): Promise<void> {
    const bytes = await this.#fetch(this.#root, { signal: this.#until(options.signal) })
    if (bytes.length <= KEPT_ROOT) this.#rootBlock = new Uint8Array(bytes)
  }

  async tree(limits: TreeLimits, options: AbortOptions = {}): Promise<Tree> {
    this.#tree = await walkTree(this.#root, this.#fetch, { limits, window: this.#window, signal: this.#until(options.signal) })
    return this.#tree.tree
  }

  fetch(wanted: WantedFile): FileFetch {
    const key = [wanted.path, wanted.cid, formatDigest(wanted.digest), JSON.stringify(wanted.size)].join(' ')
    const known = this.#files.get(key)
    if (known !== undefined && !known.failed) return known
    const { store, index } = this.#parts
    const file = new SessionFile(wanted, {
      store, index, fetch: this.#fetch, window: this.#window, signal: this.#closed.signal, label: this.#root.toString(),
    })
    this.#files.set(key, file)
    this.#begun.push(file)
    return file
  }

  async keep(options: AbortOptions = {}): Promise<void> {
    const { blocks } = this.#parts.index
    for (const file of this.#files.values()) if (!file.failed) await file.keep(options)
    await blocks.putInline(this.#tree?.blocks ?? [], options)
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error(`the session of ${this.#root} was closed`))
    await Promise.allSettled(this.#begun.map(({ done }) => done))
    for (const file of this.#begun) {
      try {
        await file.remove()
      } catch (err) {
        this.#parts.log.warn({ err, cid: this.#root.toString() }, 'cannot remove an upload of a clone')
      }
    }
    await this.#parts.source.close()
  }

  /** What is here already need not come again. */
  readonly #fetch: FetchBlock = async (cid, options) => {
    const inline = inlined(cid)
    if (inline !== undefined) return inline
    if (this.#rootBlock !== undefined && cid.equals(this.#root)) return new Uint8Array(this.#rootBlock)
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

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal])
  }
}
