import type { CID } from 'multiformats/cid'
import type { CollectionWatch } from './collection-watch.ts'
import type { KuboNode } from './kubo-node.ts'

export interface UploadStreamParts {
  readonly node: KuboNode
  readonly watch: CollectionWatch
  /** The bytes of the upload from there on, as far as they are here. */
  readonly read: (start: number, length: number) => AsyncIterable<Uint8Array>
}

/** A blob that a node took, and that nobody holds yet. */
export interface StreamedBlob {
  readonly cid: CID
  /** To be asked once somebody holds it: whether all of it is there. */
  readonly isWhole: () => Promise<boolean>
}

/** Bytes that are read at once, where more are to come. */
const STEP = 1024 * 1024
/** How long a stream is kept to which nothing comes, in milliseconds. The upload itself stays. */
const PATIENCE = 60_000

/** An upload on its way into a node while it arrives. What goes wrong with it costs nothing but sending the bytes later. */
export class UploadStream {
  /** What came of it; undefined: nothing. Never rejects. */
  readonly outcome: Promise<StreamedBlob | undefined>
  readonly #parts: UploadStreamParts
  readonly #stop = new AbortController()
  readonly #timer: NodeJS.Timeout
  #size = 0
  #ended = false
  #wake: (() => void) | undefined

  constructor(parts: UploadStreamParts) {
    this.#parts = parts
    this.#timer = setTimeout(() => this.abort(), PATIENCE).unref()
    this.outcome = this.#run().catch(() => undefined).finally(() => this.abort())
  }

  /** Bytes of the upload that can be read, as far as it was told. */
  get size(): number {
    return this.#size
  }

  reach(size: number): void {
    this.#size = size
    if (!this.#stop.signal.aborted) this.#timer.refresh()
    this.#wake?.()
  }

  /** No more will come. */
  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  abort(): void {
    clearTimeout(this.#timer)
    this.#stop.abort(new Error('the upload is not streamed any more'))
    this.#wake?.()
  }

  async #run(): Promise<StreamedBlob> {
    const { node, watch } = this.#parts
    const isWhole = await watch.begin({ signal: this.#stop.signal })
    const cid = await node.add(this.#bytes(), { signal: this.#stop.signal })
    return { cid, isWhole }
  }

  async *#bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal } = this.#stop
    for (let at = 0; ; ) {
      while (!this.#ended && this.#size - at < STEP) {
        signal.throwIfAborted()
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
      if (at === this.#size) return
      for await (const chunk of this.#parts.read(at, this.#size - at)) {
        signal.throwIfAborted()
        at += chunk.byteLength
        yield chunk
      }
    }
  }
}
