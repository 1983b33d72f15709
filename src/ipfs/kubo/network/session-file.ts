import { randomUUID } from 'node:crypto'
import { createDigester, formatDigest } from '../../../oci/digest.ts'
import { CHUNK_SIZE, type AbortOptions, type ByteRange, type ObjectStore } from '../../../storage/object-store.ts'
import type { BlockObserver } from '../../../telemetry/block-observer.ts'
import { encodeCar } from '../../car.ts'
import { Progress } from '../../embedded/progress.ts'
import { ContentUnavailableError, VerificationError } from '../../errors.ts'
import type { FetchedFile, FileGround } from '../../image-fetch.ts'
import type { WantedFile } from '../../node.ts'
import { IDENTITY, type Block } from '../../unixfs/block.ts'
import { decodeNode } from '../../unixfs/node.ts'
import { DAG_LIMITS, walkFile } from '../../unixfs/walk-file.ts'
import { Arrival } from './arrival.ts'
import { checkGoesOn } from './dag-end.ts'
import { HelpingNodes } from './helping-nodes.ts'
import type { HoldProgress, KuboHold, KuboHolds } from '../nodes/hold.ts'
import { mfsPath, type KuboNodes } from '../nodes/nodes.ts'
import type { KuboNode } from '../nodes/node.ts'
import { unavailable } from './source.ts'
import type { KuboUploads } from '../uploads/uploads.ts'
import { RecentBytes } from './recent-bytes.ts'
import type { SessionBlocks } from './session-blocks.ts'

export interface KuboFileParts extends Omit<FileGround, 'fetch'> {
  readonly nodes: KuboNodes
  readonly store: Pick<ObjectStore, 'read'>
  readonly uploads: Pick<KuboUploads, 'adopt' | 'remove'>
  readonly holds: KuboHolds
  readonly blocks: SessionBlocks
  /** Milliseconds without anything after which it has failed. */
  readonly timeout: number
  readonly observer?: BlockObserver | undefined
}

/** Bytes at the end of a file that nobody reads before the whole has been found right. */
const WITHHELD = CHUNK_SIZE

/**
 * Bytes behind those that are being fetched, up to which it is read: in front, reading would ask for the same blocks
 * itself, a session of its own, which makes the fetch a tenth slower.
 */
const FRONT = 12 * CHUNK_SIZE
/** Bytes that are read before anything is known of what is there. */
const AT_ONCE = 4 * CHUNK_SIZE

/** Milliseconds without a byte after which it is doubted that any will come of a file that is here. */
const DOUBT = 1000

/** One file of a session: the node of its path fetches it, and what it gives is hashed here. Nothing of it is stored here. */
export class KuboSessionFile implements FetchedFile {
  readonly done: Promise<{ readonly upload: string | undefined }>
  readonly wanted: WantedFile
  readonly node: KuboNode
  readonly #parts: KuboFileParts
  readonly #upload = randomUUID()
  readonly #progress = new Progress()
  readonly #recent = new RecentBytes()
  /** What the node has fetched, as far as it tells: twice a second. */
  readonly #fetched = new Progress()
  readonly #hold: KuboHold
  /** The object is at its path already. */
  #here = false
  /** … as another DAG than the one that the image names: this one has to be held beside it. */
  #beside = false
  #size = 0
  #failed = false

  constructor(wanted: WantedFile, parts: KuboFileParts) {
    this.wanted = wanted
    this.#parts = parts
    this.node = parts.nodes.nodeOf(wanted.path)
    this.#hold = parts.holds.of(this.node, wanted.cid)
    this.#fetched.reach(AT_ONCE)
    this.done = this.#run().catch((error: unknown) => {
      throw parts.signal.aborted ? parts.signal.reason : unavailable(error)
    })
    this.done.then(() => this.#progress.finish(), (reason: unknown) => {
      this.#failed = true
      this.#progress.fail(reason)
    }).finally(() => this.#recent.clear())
  }

  get failed(): boolean {
    return this.#failed
  }

  async *read({ start = 0, length = Infinity }: ByteRange, { signal }: AbortOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const end = start + length
    const reader = { at: start }
    const leave = this.#recent.join(reader)
    try {
      while (reader.at < end) {
        const readable = Math.min(await this.#progress.beyond(reader.at, signal), end)
        if (readable <= reader.at) return
        const recent = this.#recent.from(reader.at)?.subarray(0, readable - reader.at)
        for await (const chunk of recent === undefined ? this.#missed(reader.at, readable, signal) : [recent]) {
          yield chunk
          reader.at += chunk.length
          this.#recent.moved()
        }
      }
    } finally {
      leave()
    }
  }

  /** Whether the image names another DAG for the object than the one that is at its path; it is here then, and held until `release`. */
  get isBeside(): boolean {
    return this.#beside
  }

  async remove(): Promise<void> {
    await this.#hold.release()
    if (!this.#here) await this.#parts.uploads.remove(this.#upload)
  }

  async #run(): Promise<{ upload: string | undefined }> {
    const { nodes, uploads, signal, label: repository } = this.#parts
    const { path, cid, digest } = this.wanted
    const at = await nodes.stat(path, { signal })
    this.#here = at !== undefined
    const isSame = at?.found.cid.equals(cid) === true
    // The original links what it has only read a part of.
    if (isSame && (await at.node.isWhole(mfsPath(path), { signal })) === true) {
      this.#checkSize(at.found.size)
      this.#progress.reach(at.found.size)
      return { upload: undefined }
    }
    await this.#bring()
    this.#progress.reach(this.#size)
    this.#beside = this.#here && !(isSame && at.node === this.node)
    if (this.#here) return { upload: undefined }
    await uploads.adopt(this.#upload, { cid, size: this.#size, digest, path, repository }, { signal })
    await this.#hold.release()
    return { upload: this.#upload }
  }

  /** Whole, verified and held when it resolves. */
  async #bring(): Promise<void> {
    const { nodes, blocks, observer, timeout, signal } = this.#parts
    const { cid } = this.wanted
    const root = await blocks.root(cid, nodes.inOrder(this.wanted.path), { signal })
    const node = decodeNode(root)
    if (node.kind === 'directory') throw new VerificationError(`${cid} is a directory, not a file`)
    this.#checkSize(node.links.reduce((total, link) => total + link.size, node.data.length))

    const stop = new AbortController()
    const arrived = new Arrival()
    const callOff = arrived.watch(timeout, () => stop.abort(new ContentUnavailableError(`nothing came of ${cid} for ${timeout} ms`)))
    const options = { signal: AbortSignal.any([signal, stop.signal]) }
    try {
      if (root.atNode) {
        await this.#follow(arrived, stop, options)
        observer?.received('bitswap', this.#size)
      } else {
        await this.#hold.store(encodeCar(this.#hold.cid, this.#walk(arrived, options)), options)
      }
    } catch (error) {
      throw stop.signal.aborted ? stop.signal.reason : error
    } finally {
      callOff()
    }
  }

  /** The node fetches all of it at once, because what it gives looks ahead only little. */
  async #follow(arrived: Arrival, stop: AbortController, options: AbortOptions): Promise<void> {
    const held = this.#holdIt(arrived, options)
    const over = new AbortController()
    held.then(() => {
      this.#fetched.finish()
      if (!over.signal.aborted) this.#doubt(arrived, stop, over.signal)
    }, (error: unknown) => stop.abort(error))
    const helped = new HelpingNodes(this.#helps(), arrived, options)
    try {
      const digester = this.#digester()
      await this.node.pour(this.wanted.cid, this.#size, (bytes) => {
        arrived.now()
        const added = digester.add(bytes)
        return this.#fetched.isBeyond(this.#recent.end) ? added : this.#untilFetched(added, options)
      }, options)
      digester.end()
      await held
    } catch (error) {
      stop.abort(error)
      throw error
    } finally {
      over.abort()
      await held.catch(() => {})
      await helped.end()
    }
  }

  /** All of it is here: when it is not given all the same, it is looked why. */
  #doubt(arrived: Arrival, stop: AbortController, over: AbortSignal): void {
    const callOff = arrived.watch(DOUBT, () => {
      checkGoesOn(this.node, this.wanted.cid, { size: this.#size, given: this.#recent.end, signal: over }).catch((error: unknown) => {
        if (error instanceof VerificationError) stop.abort(error)
      })
    })
    over.addEventListener('abort', callOff)
  }

  async #untilFetched(added: Promise<void> | undefined, { signal }: AbortOptions): Promise<void> {
    await added
    await this.#fetched.beyond(this.#recent.end, signal)
  }

  #helps(): KuboHold[] {
    const { nodes, holds } = this.#parts
    return nodes.all.filter((node) => node !== this.node).map((node) => holds.of(node, this.wanted.cid))
  }

  async #holdIt(arrived: Arrival, options: AbortOptions): Promise<void> {
    if (this.wanted.cid.multihash.code === IDENTITY) return
    let before: HoldProgress = { bytes: 0, blocks: 0 }
    await this.#hold.fetch((progress) => {
      const { bytes, blocks } = progress
      if (blocks > before.blocks) arrived.now()
      this.#fetched.reach(Math.max(bytes - FRONT, before.bytes))
      before = progress
      if (bytes - this.#size > DAG_LIMITS.overhead(this.#size) || blocks > DAG_LIMITS.blocks(this.#size)) {
        throw new VerificationError(`the DAG of file ${this.wanted.cid} is refused: it is too large for its data`)
      }
    }, options)
  }

  /** Blocks from the gateways, on their way to the node. */
  async *#walk(arrived: Arrival, options: AbortOptions): AsyncGenerator<Block, void, undefined> {
    const { blocks, window } = this.#parts
    const digester = this.#digester()
    for await (const block of walkFile(this.wanted.cid, blocks.fetch, { ...options, size: this.#size, window })) {
      arrived.now()
      await digester.add(block.bytes.subarray(block.data.offset, block.data.offset + block.data.length))
      yield block
    }
    digester.end()
  }

  #digester(): { add(chunk: Uint8Array): Promise<void> | undefined; end(): void } {
    const { cid, digest } = this.wanted
    const digester = createDigester(digest.algorithm)
    return {
      add: (chunk) => {
        if (this.#recent.end + chunk.length > this.#size) throw new VerificationError(`file ${cid} has more than the ${this.#size} bytes that it claims`)
        digester.update(chunk)
        const added = this.#recent.add(chunk)
        if (added === undefined) this.#progress.reach(this.#recent.end - WITHHELD)
        return added?.then(() => this.#progress.reach(this.#recent.end - WITHHELD))
      },
      end: () => {
        if (this.#recent.end !== this.#size) throw new VerificationError(`file ${cid} has ${this.#recent.end} bytes, not the ${this.#size} that it claims`)
        if (digester.digest('hex') !== digest.hex) throw new VerificationError(`file ${cid} is not ${formatDigest(digest)}`)
        this.#progress.reach(this.#size)
      },
    }
  }

  #checkSize(size: number): void {
    const { digest, size: wanted } = this.wanted
    if (typeof wanted === 'number' ? size !== wanted : size > wanted.atMost) throw new VerificationError(`${formatDigest(digest)} has ${size} bytes`)
    this.#size = size
  }

  /** What came too long ago, or was here before. */
  #missed(start: number, end: number, signal: AbortSignal | undefined): AsyncIterable<Uint8Array> {
    const range = { start, length: end - start, signal }
    return this.#here ? this.#parts.store.read(this.wanted.path, range) : this.node.cat(this.wanted.cid, range)
  }
}
