import { CHUNK_SIZE } from '../../../storage/object-store.ts'

interface Segment {
  /** Of its first byte in the file. */
  readonly start: number
  readonly buffer: Buffer
  length: number
}

/** Who reads along: he may still be at the bytes from there on. */
export interface Reader {
  at: number
}

/** Segments that are kept, of a MiB each. */
const KEPT = 4
/** Milliseconds that who reads along may hold up the rest, altogether: then he reads from elsewhere what he missed. */
const PATIENCE = 1000

/** The last bytes that came, for who reads along. */
export class RecentBytes {
  readonly #segments: Segment[] = []
  readonly #spare: Buffer[] = []
  readonly #readers = new Set<Reader>()
  #end = 0
  #patience = PATIENCE
  #moved = Promise.withResolvers<void>()

  get end(): number {
    return this.#end
  }

  /** Takes a copy. Waits for who would miss bytes that have to go, though not long. */
  add(chunk: Uint8Array): Promise<void> | undefined {
    const last = this.#segments.at(-1)
    if (last === undefined || last.length + chunk.length > CHUNK_SIZE) return this.#addLong(chunk)
    this.#put(last, chunk)
    return undefined
  }

  async #addLong(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.length > 0; ) {
      const last = this.#segments.at(-1)
      const segment = last !== undefined && last.length < CHUNK_SIZE ? last : await this.#segment()
      const part = rest.subarray(0, CHUNK_SIZE - segment.length)
      this.#put(segment, part)
      rest = rest.subarray(part.length)
    }
  }

  #put(segment: Segment, bytes: Uint8Array): void {
    segment.buffer.set(bytes, segment.length)
    segment.length += bytes.length
    this.#end += bytes.length
  }

  /** Bytes from there on, at least one; undefined where they have not come or have gone. */
  from(position: number): Uint8Array | undefined {
    const segment = this.#segments.find(({ start, length }) => position >= start && position < start + length)
    return segment?.buffer.subarray(position - segment.start, segment.length)
  }

  /** Begins to read; the function that is returned ends it. Whoever reads tells by `moved` that he is done with what he had. */
  join(reader: Reader): () => void {
    this.#readers.add(reader)
    return () => {
      this.#readers.delete(reader)
      this.moved()
    }
  }

  moved(): void {
    const { resolve } = this.#moved
    this.#moved = Promise.withResolvers<void>()
    resolve()
  }

  clear(): void {
    this.#segments.length = 0
    this.#spare.length = 0
  }

  async #segment(): Promise<Segment> {
    const [first] = this.#segments
    if (first !== undefined && this.#segments.length >= KEPT) {
      await this.#passed(first.start + first.length)
      this.#segments.shift()
      // Whoever was not waited for may still hold its bytes.
      if (![...this.#readers].some(({ at }) => at < first.start + first.length)) this.#spare.push(first.buffer)
    }
    const segment = { start: this.#end, buffer: this.#spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK_SIZE), length: 0 }
    this.#segments.push(segment)
    return segment
  }

  /** Resolves when nobody is before it any more, or it takes too long. */
  async #passed(end: number): Promise<void> {
    while (this.#patience > 0 && [...this.#readers].some(({ at }) => at < end)) {
      const begun = performance.now()
      const timeout = Promise.withResolvers<void>()
      const timer = setTimeout(() => timeout.resolve(), this.#patience)
      await Promise.race([this.#moved.promise, timeout.promise])
      clearTimeout(timer)
      this.#patience -= performance.now() - begun
    }
  }
}
