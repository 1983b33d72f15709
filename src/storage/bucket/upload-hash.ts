import { hash } from 'node:crypto'
import type { Hashes, StreamHash, StreamHashes } from './stream-hashes.ts'

/** Bytes up to which an upload is hashed at once: that takes less time than a thread does to hear of it. */
const SMALL = 64 * 1024

/** The hashes of an upload, as far as its bytes came by here, all of them from the first. */
export class UploadHash {
  readonly #hashes: StreamHashes
  readonly #chunks: boolean
  #stream: StreamHash | undefined
  #small: Uint8Array | undefined
  /** Bytes that have been fed. */
  position = 0

  constructor(hashes: StreamHashes, chunks: boolean) {
    this.#hashes = hashes
    this.#chunks = chunks
  }

  /** Resolves when the bytes, which are in shared memory, may be overwritten. */
  async feed(bytes: Uint8Array): Promise<void> {
    if (this.#stream === undefined && this.position + bytes.byteLength <= SMALL) {
      this.#small = Buffer.concat([this.#small ?? new Uint8Array(), bytes])
      this.position += bytes.byteLength
      return
    }
    const stream = (this.#stream ??= this.#hashes.begin('sha256', this.#chunks))
    this.position += bytes.byteLength
    const before = this.#small
    this.#small = undefined
    if (before !== undefined) void stream.feed(before).catch(() => {})
    await stream.feed(bytes)
  }

  async digest(): Promise<Hashes> {
    if (this.#stream !== undefined) return this.#stream.digest()
    const bytes = this.#small ?? new Uint8Array()
    return { hex: hash('sha256', bytes), chunks: bytes.byteLength === 0 ? bytes : new Uint8Array(hash('sha256', bytes, 'buffer')) }
  }

  end(): void {
    this.#stream?.end()
    this.#stream = undefined
  }
}
