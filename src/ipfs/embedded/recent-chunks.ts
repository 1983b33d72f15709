import { giveBack } from '../../storage/give-back.ts'
import type { Window } from '../unixfs/window.ts'

/** Chunks that are kept of a file: who reads along is one or two behind. */
const MOST = 4

interface Chunk {
  readonly offset: number
  readonly bytes: Uint8Array
  holders: number
  dropped: boolean
}

/** A chunk that somebody looks at. */
export interface HeldChunk {
  /** From the offset that was asked for to the chunk's end. */
  readonly bytes: Uint8Array
  release(): void
}

/** The last chunks of a file that is being fetched, for those who read along: they need not be read from the disk again. */
export class RecentChunks {
  readonly #room: Window
  readonly #chunks: Chunk[] = []
  #readers = 0

  /** @param room chunks that all files together may have in memory, those that slow readers hold included */
  constructor(room: Window) {
    this.#room = room
  }

  /** While nobody reads along nothing is kept. Returns what ends it. */
  readAlong(): () => void {
    this.#readers++
    return () => {
      if (--this.#readers === 0) this.clear()
    }
  }

  /** The next bytes of the file, whose memory is given back when they go. */
  add(offset: number, bytes: Uint8Array): void {
    if (this.#chunks.length === MOST) this.#drop()
    if (this.#readers > 0 && this.#room.take()) this.#chunks.push({ offset, bytes, holders: 0, dropped: false })
    else giveBack(bytes)
  }

  /** Undefined where what is at the offset has gone, or has not come. */
  hold(at: number): HeldChunk | undefined {
    const chunk = this.#chunks.find(({ offset, bytes }) => offset <= at && at < offset + bytes.byteLength)
    if (chunk === undefined) return undefined
    chunk.holders++
    const release = (): void => {
      chunk.holders--
      this.#letGo(chunk)
    }
    return { bytes: chunk.bytes.subarray(at - chunk.offset), release }
  }

  clear(): void {
    while (this.#chunks.length > 0) this.#drop()
  }

  #drop(): void {
    const chunk = this.#chunks.shift()
    if (chunk === undefined) return
    chunk.dropped = true
    this.#letGo(chunk)
  }

  #letGo({ dropped, holders, bytes }: Chunk): void {
    if (!dropped || holders > 0) return
    giveBack(bytes)
    this.#room.give()
  }
}
