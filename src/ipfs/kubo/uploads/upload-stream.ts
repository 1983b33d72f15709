import { createHash } from 'node:crypto'
import type { CID } from 'multiformats/cid'
import { CHUNK_SIZE } from '../../../storage/object-store.ts'
import { cidOf, RAW } from '../../unixfs/block.ts'
import type { CollectionWatch } from './collection-watch.ts'
import type { KuboNode } from '../nodes/node.ts'

export interface UploadStreamParts {
  readonly node: KuboNode
  readonly watch: CollectionWatch
  /** What has come of the upload before, from its beginning: a chunk or more. */
  readonly head: (length: number) => AsyncIterable<Uint8Array>
  /** Bytes of it. */
  readonly size: number
}

/** A blob that a node took, and that nobody holds yet. */
export interface StreamedBlob {
  readonly cid: CID
  /** To be asked once somebody holds it: whether all of it is there. */
  readonly isWhole: () => Promise<boolean>
}

/** How long a stream is kept to which nothing comes, or from which nothing is taken, in milliseconds. The upload itself goes on. */
const PATIENCE = 15_000

/**
 * An upload on its way into a node while it arrives, from the memory in which it is on its way to the disk: neither is
 * it read again, nor does it wait. What goes wrong with it costs nothing but sending the bytes later.
 */
export class UploadStream {
  /** What came of it; undefined: nothing. Never rejects. */
  readonly outcome: Promise<StreamedBlob | undefined>
  readonly #parts: UploadStreamParts
  readonly #stop = new AbortController()
  readonly #timer: NodeJS.Timeout
  #size: number
  #over = false
  #ended = false
  #given: { readonly bytes: Uint8Array; readonly taken: () => void } | undefined
  #wake: (() => void) | undefined

  constructor(parts: UploadStreamParts) {
    this.#parts = parts
    this.#size = parts.size
    this.#timer = setTimeout(() => this.abort(), PATIENCE).unref()
    this.outcome = this.#run().catch(() => undefined).finally(() => this.abort())
  }

  /** Bytes of the upload that it was given. */
  get size(): number {
    return this.#size
  }

  /** The next bytes, which have to follow what was given before. Resolves when they have been taken, or are not needed. */
  give(bytes: Uint8Array, offset: number): Promise<void> | undefined {
    if (this.#over) return undefined
    if (offset !== this.#size || this.#ended || this.#given !== undefined) {
      this.abort()
      return undefined
    }
    this.#size += bytes.byteLength
    this.#timer.refresh()
    return new Promise((taken) => {
      this.#given = { bytes, taken }
      this.#wake?.()
    })
  }

  /** No more will come. */
  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  abort(): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    this.#stop.abort(new Error('the upload is not streamed any more'))
    this.#wake?.()
    this.#take()
  }

  async #run(): Promise<StreamedBlob> {
    const { node, watch } = this.#parts
    const { signal } = this.#stop
    if (await this.#isKnown()) throw new Error('the node seems to have it: that is looked at when all is here')
    const isWhole = await watch.begin({ signal })
    const cid = await node.add(this.#bytes(), { signal })
    return { cid, isWhole }
  }

  /** Whether the node has the first chunk: then it has the rest as well, most likely, of a push before. */
  async #isKnown(): Promise<boolean> {
    const hash = createHash('sha256')
    for await (const chunk of this.#parts.head(CHUNK_SIZE)) hash.update(chunk)
    return this.#parts.node.hasBlock(cidOf(RAW, hash.digest()), { signal: this.#stop.signal })
  }

  async *#bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    yield* this.#parts.head(this.#parts.size)
    for (;;) {
      this.#stop.signal.throwIfAborted()
      if (this.#given !== undefined) {
        yield this.#given.bytes
        this.#take()
      } else if (this.#ended) {
        return
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    }
  }

  #take(): void {
    this.#given?.taken()
    this.#given = undefined
    if (!this.#over) this.#timer.refresh()
  }
}
