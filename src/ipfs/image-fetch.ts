import type { CID } from 'multiformats/cid'
import { formatDigest } from '../oci/digest.ts'
import type { AbortOptions } from '../storage/object-store.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { FileFetch, ImageSession, Tree, TreeLimits, WantedFile } from './node.ts'
import type { FetchBlock } from './unixfs/walk-file.ts'
import { walkTree, type WalkedTree } from './unixfs/walk-tree.ts'
import { Window } from './unixfs/window.ts'

/** A file of a session, of whatever node. */
export interface FetchedFile extends FileFetch {
  readonly failed: boolean
  /** Removes what was not committed. Called when `done` has settled. */
  remove(): Promise<void>
}

/** What the files of one session share. */
export interface FileGround {
  readonly fetch: FetchBlock
  readonly window: Window
  /** Stops it. */
  readonly signal: AbortSignal
  /** The repository that its upload is named after. */
  readonly label: string
}

export interface ImageFetchParts<File extends FetchedFile> {
  /** Gives verified blocks. */
  readonly fetch: FetchBlock
  readonly begin: (wanted: WantedFile, ground: FileGround) => File
  /** Closes what gives the blocks. */
  readonly close: () => Promise<void>
  readonly log: Logger
}

/** Blocks that all files of a session together may have fetched ahead: at 1 MiB each, what a clone costs in memory. */
const BLOCKS_AHEAD = 16
/** Bytes of a root that are kept while the image waits its turn; a repository's has 200. */
const KEPT_ROOT = 16 * 1024

/** What a session has whoever fetches for it: the root and the tree of one image, its files, each begun once, and one end of all. */
export class ImageFetch<File extends FetchedFile> implements Omit<ImageSession, 'keep'> {
  readonly #root: CID
  readonly #parts: ImageFetchParts<File>
  readonly #closed = new AbortController()
  readonly #window = new Window(BLOCKS_AHEAD)
  readonly #files = new Map<string, File>()
  readonly #begun: File[] = []
  #rootBlock: Uint8Array | undefined
  #walked: WalkedTree | undefined

  constructor(root: CID, parts: ImageFetchParts<File>) {
    this.#root = root
    this.#parts = parts
  }

  /** Undefined before `tree`. */
  get walked(): WalkedTree | undefined {
    return this.#walked
  }

  /** Those that have not failed, each once. */
  *files(): Generator<File, void, undefined> {
    for (const file of this.#files.values()) if (!file.failed) yield file
  }

  async find(options: AbortOptions = {}): Promise<void> {
    const bytes = await this.#fetch(this.#root, { signal: this.#until(options.signal) })
    if (bytes.length <= KEPT_ROOT) this.#rootBlock = new Uint8Array(bytes)
  }

  async tree(limits: TreeLimits, options: AbortOptions = {}): Promise<Tree> {
    this.#walked = await walkTree(this.#root, this.#fetch, { limits, window: this.#window, signal: this.#until(options.signal) })
    return this.#walked.tree
  }

  fetch(wanted: WantedFile): File {
    const key = [wanted.path, wanted.cid, formatDigest(wanted.digest), JSON.stringify(wanted.size)].join(' ')
    const known = this.#files.get(key)
    if (known !== undefined && !known.failed) return known
    const file = this.#parts.begin(wanted, { fetch: this.#fetch, window: this.#window, signal: this.#closed.signal, label: this.#root.toString() })
    this.#files.set(key, file)
    this.#begun.push(file)
    return file
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error(`the session of ${this.#root} was closed`))
    await Promise.allSettled(this.#begun.map(({ done }) => done))
    for (const file of this.#begun) {
      try {
        await file.remove()
      } catch (err) {
        this.#parts.log.warn({ err, cid: this.#root.toString() }, 'cannot remove what a clone left')
      }
    }
    await this.#parts.close()
  }

  readonly #fetch: FetchBlock = async (cid, options) => {
    if (this.#rootBlock !== undefined && cid.equals(this.#root)) return new Uint8Array(this.#rootBlock)
    return this.#parts.fetch(cid, options)
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal])
  }
}
