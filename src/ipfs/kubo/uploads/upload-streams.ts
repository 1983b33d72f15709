import type { EmbeddedUploads } from '../../../storage/embedded/uploads.ts'
import { CHUNK_SIZE, type AppendOptions } from '../../../storage/object-store.ts'
import { CollectionWatch } from './collection-watch.ts'
import type { KuboNodes } from '../nodes/nodes.ts'
import { UploadStream, type StreamedBlob } from './upload-stream.ts'

/** Bytes up to which it is streamed that came in part before: they are read again. */
const LARGE_HEAD = 8 * 1024 * 1024
/** Each holds a connection to the node. Uploads beyond them are sent at their end. */
const MAX_STREAMS = 16

/**
 * Sends uploads while they arrive, where it is known where to: with several nodes that depends on the digest, which comes
 * last. All it knows it can lose: what was not streamed whole, in this process, is sent from the local file.
 */
export class UploadStreams {
  readonly #uploads: EmbeddedUploads
  readonly #begin: ((id: string, size: number) => UploadStream) | undefined
  readonly #streams = new Map<string, UploadStream>()
  /** Those that an append feeds. */
  readonly #fed = new Set<UploadStream>()

  constructor(uploads: EmbeddedUploads, { all }: KuboNodes) {
    this.#uploads = uploads
    const [node] = all
    if (node === undefined || all.length > 1) return
    const watch = new CollectionWatch(node)
    this.#begin = (id, size) => new UploadStream({ node, watch, head: (length) => uploads.read(id, { length, prompt: true }), size })
  }

  /**
   * Appends to the local upload, and to its stream. What was appended survives the process and not a power loss: to
   * wait for that took a tenth to a half of a push, and a client that has no answer to its PUT begins again anyway. What a commit names is
   * at a node by then, where it is durable.
   */
  async append(id: string, offset: number, source: AsyncIterable<Uint8Array>, options: AppendOptions): Promise<number> {
    let stream: UploadStream | undefined
    const tee = (bytes: Uint8Array, at: number): Promise<void> | undefined => {
      stream ??= this.#streamFor(id, at)
      return stream?.give(bytes, at)
    }
    try {
      return await this.#uploads.append(id, offset, source, { ...options, tee, durable: false })
    } finally {
      if (stream !== undefined) {
        this.#fed.delete(stream)
        // What was given and did not last may be followed by something else.
        if ((await this.#uploads.stat(id))?.size !== stream.size) this.drop(id)
      }
    }
  }

  /** No more will come, unless it does at this moment. */
  end(id: string): void {
    const stream = this.#streams.get(id)
    if (stream !== undefined && !this.#fed.has(stream)) stream.end()
  }

  /** What came of the stream of an upload that has `size` bytes; undefined: nothing. */
  async outcome(id: string, size: number): Promise<StreamedBlob | undefined> {
    const stream = this.#streams.get(id)
    if (stream?.size !== size) return undefined
    stream.end()
    return stream.outcome
  }

  drop(id: string): void {
    const stream = this.#streams.get(id)
    this.#streams.delete(id)
    stream?.abort()
  }

  async close(): Promise<void> {
    const outcomes = [...this.#streams.values()].map(({ outcome }) => outcome)
    for (const id of this.#streams.keys()) this.drop(id)
    await Promise.all(outcomes)
  }

  /** @param at bytes that have come before */
  #streamFor(id: string, at: number): UploadStream | undefined {
    let stream = this.#streams.get(id)
    if (stream === undefined && this.#begin !== undefined && at >= CHUNK_SIZE && at <= LARGE_HEAD && this.#streams.size < MAX_STREAMS) {
      const begun = this.#begin(id, at)
      stream = begun
      this.#streams.set(id, begun)
      void begun.outcome.then((blob) => {
        if (blob === undefined && this.#streams.get(id) === begun) this.#streams.delete(id)
      })
    }
    if (stream !== undefined) this.#fed.add(stream)
    return stream
  }
}
