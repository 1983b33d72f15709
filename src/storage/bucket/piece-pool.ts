import { CHUNK_SIZE } from '../object-store.ts'

/** Bytes of a piece of memory: a chunk, so that each is mostly hashed by itself. */
export const PIECE: number = CHUNK_SIZE
/** Pieces that are kept for the next upload, once none has come for a while, in milliseconds. Shared memory goes late: what is let go at once piles up. */
const SPARE = 16
const QUIET = 30_000

interface Waiting {
  readonly count: number
  readonly resolve: (pieces: Uint8Array[]) => void
}

/** Memory for what is on its way into the bucket, shared with the threads that hash it: all uploads together have so much and no more. */
export class PiecePool {
  readonly #spare: Uint8Array[] = []
  readonly #waiting: Waiting[] = []
  readonly #size: number
  readonly #timer: NodeJS.Timeout
  #free: number

  /** @param pieces at most in use at a time */
  constructor(pieces: number) {
    this.#size = pieces
    this.#free = pieces
    this.#timer = setTimeout(() => this.#spare.splice(SPARE), QUIET).unref()
  }

  /** Undefined: there is none now. */
  tryTake(): Uint8Array | undefined {
    return this.#free > 0 && this.#waiting.length === 0 ? this.#one() : undefined
  }

  /** All of them at once, in the order of those who wait. Whoever waits must hold none but those that are given back without him. */
  take(count: number): Promise<Uint8Array[]> {
    return new Promise((resolve) => {
      this.#waiting.push({ count: Math.min(count, this.#size), resolve })
      this.#serve()
    })
  }

  give(piece: Uint8Array): void {
    this.#free++
    this.#spare.push(piece)
    this.#timer.refresh()
    this.#serve()
  }

  #serve(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.count <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift()
      next.resolve(Array.from({ length: next.count }, () => this.#one()))
    }
  }

  #one(): Uint8Array {
    this.#free--
    return this.#spare.pop() ?? Buffer.from(new SharedArrayBuffer(PIECE))
  }
}
