import type { CID } from 'multiformats/cid'
import type { BlockReader, ReadBlockOptions } from '../ipfs/node.ts'
import { StorageFailedError } from '../storage/errors.ts'
import type { AbortOptions } from '../storage/object-store.ts'
import type { ImageIndexer } from './image-indexer.ts'
import { isCid } from './names.ts'

export interface LateBlocksOptions {
  /** Looks into the store in a second at most: strangers ask for anything. @default 32 */
  readonly looks?: number | undefined
  /** For how long it is waited until an image is indexed, in milliseconds. @default 5000 */
  readonly wait?: number | undefined
  /** Milliseconds since whenever. @default performance.now */
  readonly now?: (() => number) | undefined
}

/** How long what was not there is not looked for again, in milliseconds, and how much of it is remembered. */
const FORGOTTEN_AFTER = 2_000
const REMEMBERED = 4_096

/**
 * The blocks that are here, also of images which another Disco has put into the store a moment ago: where the index knows
 * nothing of a CID that may be a repository's, the store is asked whether it is, and then the image is indexed at once.
 */
export class LateBlocks implements BlockReader {
  readonly #blocks: BlockReader
  readonly #images: Pick<ImageIndexer, 'index'>
  readonly #looks: number
  readonly #wait: number
  readonly #now: () => number
  /** When they were missed, by their names; the oldest first. */
  readonly #missed = new Map<string, number>()
  #second = 0
  #looked = 0

  constructor(blocks: BlockReader, images: Pick<ImageIndexer, 'index'>, { looks = 32, wait = 5_000, now = () => performance.now() }: LateBlocksOptions = {}) {
    this.#blocks = blocks
    this.#images = images
    this.#looks = looks
    this.#wait = wait
    this.#now = now
  }

  /** @throws StorageFailedError where an image is here, and is still being indexed */
  async get(cid: CID, options?: ReadBlockOptions): Promise<Uint8Array | undefined> {
    const bytes = await this.#blocks.get(cid, options)
    return bytes === undefined && (await this.#comes(cid, options)) ? this.#blocks.get(cid, options) : bytes
  }

  /** @throws StorageFailedError as `get` */
  async has(cid: CID, options?: AbortOptions): Promise<boolean> {
    return (await this.#blocks.has(cid, options)) || ((await this.#comes(cid, options)) && this.#blocks.has(cid, options))
  }

  async #comes(cid: CID, { signal }: AbortOptions = {}): Promise<boolean> {
    const root = cid.toV1()
    const name = root.toString()
    if (!isCid(name) || !this.#mayLook(name)) return false
    const timeout = AbortSignal.timeout(this.#wait)
    try {
      if (await this.#images.index(root, { signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) })) return true
    } catch (cause) {
      signal?.throwIfAborted()
      if (timeout.aborted) throw new StorageFailedError(`the blocks of ${name} are still being indexed`, { cause })
      throw cause
    }
    this.#miss(name)
    return false
  }

  #mayLook(name: string): boolean {
    const now = this.#now()
    const missed = this.#missed.get(name)
    if (missed !== undefined && now - missed < FORGOTTEN_AFTER) return false
    const second = Math.floor(now / 1000)
    if (second !== this.#second) [this.#second, this.#looked] = [second, 0]
    return this.#looked++ < this.#looks
  }

  #miss(name: string): void {
    this.#missed.delete(name)
    this.#missed.set(name, this.#now())
    const [oldest] = this.#missed.keys()
    if (this.#missed.size > REMEMBERED && oldest !== undefined) this.#missed.delete(oldest)
  }
}
