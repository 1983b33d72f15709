import type { CID } from 'multiformats/cid'
import type { BlockReader, ReadBlockOptions } from '../ipfs/node.ts'
import { Turns } from '../ipfs/turns.ts'
import { BoundedMap } from '../oci/bounded-map.ts'
import { RegistryError } from '../oci/errors.ts'
import { untilAborted } from '../oci/until-aborted.ts'
import { StorageFailedError } from '../storage/errors.ts'
import type { AbortOptions } from '../storage/object-store.ts'
import type { ImageIndexer } from './image-indexer.ts'
import { isCid } from './names.ts'

export interface LateBlocksOptions {
  /** Looks into the store in any second at most: strangers ask for anything. @default 32 */
  readonly looks?: number | undefined
  /** How many more may wait a second at most for their turn: few, for who waits has room that is for those who are served. @default 8 */
  readonly queue?: number | undefined
  /** For how long it is waited until an image is indexed, in milliseconds. @default 5000 */
  readonly wait?: number | undefined
  /** For how long what was not there is not looked for again, in milliseconds. @default 2000 */
  readonly forget?: number | undefined
}

/** How much of what was not there is remembered. */
const REMEMBERED = 4_096
const SECOND = 1_000

/**
 * The blocks that are here, also of images which another Disco has put into the store a moment ago: where the index knows
 * nothing of a CID that may be a repository's, the store is asked whether it is, and then the image is indexed at once.
 */
export class LateBlocks implements BlockReader {
  readonly #blocks: BlockReader
  readonly #images: Pick<ImageIndexer, 'index'>
  readonly #wait: number
  /** Turns to look, each for a second. */
  readonly #turns: Turns
  /** How many may have one or wait for one. */
  readonly #room: number
  #asked = 0
  /** Looks under way, by the names of what is looked for. */
  readonly #looks = new Map<string, Promise<boolean>>()
  readonly #missed: BoundedMap<true>

  constructor(blocks: BlockReader, images: Pick<ImageIndexer, 'index'>, { looks = 32, queue = 8, wait = 5_000, forget = 2_000 }: LateBlocksOptions = {}) {
    this.#blocks = blocks
    this.#images = images
    this.#wait = wait
    this.#turns = new Turns(looks)
    this.#room = looks + queue
    this.#missed = new BoundedMap(REMEMBERED, forget)
  }

  /**
   * @throws StorageFailedError where an image is here, and is still being indexed
   * @throws RegistryError UNAVAILABLE where too much is asked for to look whether it is here
   */
  async get(cid: CID, options?: ReadBlockOptions): Promise<Uint8Array | undefined> {
    const bytes = await this.#blocks.get(cid, options)
    return bytes === undefined && (await this.#comes(cid, options)) ? this.#blocks.get(cid, options) : bytes
  }

  /** @throws StorageFailedError, RegistryError as `get` */
  async has(cid: CID, options?: AbortOptions): Promise<boolean> {
    return (await this.#blocks.has(cid, options)) || ((await this.#comes(cid, options)) && this.#blocks.has(cid, options))
  }

  async #comes(cid: CID, { signal }: AbortOptions = {}): Promise<boolean> {
    const root = cid.toV1()
    const name = root.toString()
    if (!isCid(name) || this.#missed.get(name) === true) return false
    const look = this.#looks.get(name) ?? this.#begin(root, name)
    const timeout = AbortSignal.timeout(this.#wait)
    try {
      return await untilAborted(look, signal === undefined ? timeout : AbortSignal.any([signal, timeout]))
    } catch (cause) {
      signal?.throwIfAborted()
      if (timeout.aborted) throw new StorageFailedError(`the blocks of ${name} are still being indexed`, { cause })
      throw cause
    }
  }

  /** What was not looked for is not said to be absent. */
  #begin(root: CID, name: string): Promise<boolean> {
    if (this.#asked >= this.#room) throw new RegistryError('UNAVAILABLE', 'too much is asked for that is not indexed here, try again', { headers: { 'Retry-After': '1' } })
    this.#asked++
    const look = this.#look(root, name).finally(() => this.#looks.delete(name))
    this.#looks.set(name, look)
    return look
  }

  async #look(root: CID, name: string): Promise<boolean> {
    const endTurn = await this.#turns.take()
    setTimeout(() => {
      this.#asked--
      endTurn()
    }, SECOND).unref()
    const comes = await this.#images.index(root)
    if (!comes) this.#missed.set(name, true)
    return comes
  }
}
