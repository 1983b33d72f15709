import type { EmbeddedUploads } from '../../storage/embedded/uploads.ts'
import type { AppendOptions } from '../../storage/object-store.ts'
import { CollectionWatch } from './collection-watch.ts'
import type { KuboNodes } from './kubo-nodes.ts'
import { UploadStream, type StreamedBlob } from './upload-stream.ts'

/** Bytes up to which an upload is sent at its end: it takes no longer than beginning a stream. */
const SMALL = 2 * 1024 * 1024
/** Each holds a connection to the node, and two MiBs. Uploads beyond them are sent at their end. */
const MAX_STREAMS = 16

/**
 * Sends uploads while they arrive, where it is known where to: with several nodes that depends on the digest, which comes
 * last. All it knows it can lose: what was not streamed whole, in this process, is sent from the local file.
 */
export class UploadStreams {
  readonly #uploads: EmbeddedUploads
  readonly #begin: ((id: string) => UploadStream) | undefined
  readonly #streams = new Map<string, UploadStream>()
  /** Those that an append feeds. */
  readonly #fed = new Set<UploadStream>()

  constructor(uploads: EmbeddedUploads, { all }: KuboNodes) {
    this.#uploads = uploads
    const [node] = all
    if (node === undefined || all.length > 1) return
    const watch = new CollectionWatch(node)
    this.#begin = (id) => new UploadStream({ node, watch, read: (start, length) => uploads.read(id, { start, length, prompt: true }) })
  }

  /** Appends to the local upload, and follows it. */
  async append(id: string, offset: number, source: AsyncIterable<Uint8Array>, options: AppendOptions): Promise<number> {
    let stream: UploadStream | undefined
    const onProgress = (size: number): void => {
      stream ??= this.#streamFor(id, offset, size)
      stream?.reach(size)
      options.onProgress?.(size)
    }
    try {
      return await this.#uploads.append(id, offset, source, { ...options, onProgress })
    } finally {
      if (stream !== undefined) {
        this.#fed.delete(stream)
        // What was read and did not last may be followed by something else.
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

  #streamFor(id: string, offset: number, size: number): UploadStream | undefined {
    let stream = this.#streams.get(id)
    if (stream?.size !== undefined && stream.size > size) {
      this.drop(id)
      return undefined
    }
    if (stream === undefined && this.#begin !== undefined && offset < SMALL && size >= SMALL && this.#streams.size < MAX_STREAMS) {
      stream = this.#begin(id)
      this.#streams.set(id, stream)
      void stream.outcome.then((blob) => {
        if (blob === undefined && this.#streams.get(id) === stream) this.#streams.delete(id)
      })
    }
    if (stream !== undefined) this.#fed.add(stream)
    return stream
  }
}
