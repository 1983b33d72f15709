import type { FileHandle } from 'node:fs/promises'
import { giveBack } from '../give-back.ts'
import type { ReadOptions } from '../object-store.ts'
import { storing } from './medium.ts'

/** Bytes read or written at once. */
export const BATCH_SIZE: number = 1024 * 1024
/** … by a reader that has not shown yet that it takes them promptly, or found too many others that do. */
const SMALL_BATCH = 64 * 1024
/** A chunk that comes back later was for a slow reader, in milliseconds. */
const PROMPT = 100
/** Readers with large buffers, two each; a stalled one keeps them until its connection is cut. */
const FAST_READERS = 16
/** Buffers that are kept for the next reader or writer. */
const SPARE_BUFFERS = 16

/** Reads large files, for any number of readers in bounded memory. */
export class FileStreams {
  readonly #spare: Buffer[] = []
  #fastReaders = 0

  /**
   * Reads a range of an open file up to its end, then closes it. A chunk is good until the next one is asked for, which
   * is read meanwhile for who takes them promptly. Others get small chunks: a thousand stalled readers must not hold GBs.
   */
  async *read(handle: FileHandle, { start = 0, length = Infinity, prompt: wasPrompt = false, signal }: ReadOptions): AsyncGenerator<Uint8Array, void, void> {
    const end = start + length
    const fill = async (buffer: Buffer, position: number): Promise<number> => {
      const wanted = Math.min(buffer.byteLength, end - position)
      return (await storing('a blob file', () => handle.read(buffer, 0, wanted, position))).bytesRead
    }
    const small = Math.min(SMALL_BATCH, length)
    let fast = wasPrompt
    if (fast) this.#fastReaders++
    let buffer: Buffer = fast ? this.takeBuffer() : Buffer.allocUnsafeSlow(small)
    let spare: Buffer | undefined
    let ahead: Promise<number> | undefined
    const slowDown = async (): Promise<void> => {
      await ahead?.catch(() => {})
      ahead = undefined
      this.giveBuffer(buffer)
      if (spare !== undefined) this.giveBuffer(spare)
      spare = undefined
      fast = false
      this.#fastReaders--
    }
    try {
      for (let position = start; position < end; ) {
        signal?.throwIfAborted()
        const size = await (ahead ?? fill(buffer, position))
        ahead = undefined
        if (size === 0) return
        position += size
        const chunk = buffer.subarray(0, size)
        if (fast && size === BATCH_SIZE && position < end) {
          const next = spare ?? this.takeBuffer()
          spare = buffer
          buffer = next
          ahead = fill(buffer, position)
          // Whoever asks for it hears of its failure.
          ahead.catch(() => {})
        }
        const given = performance.now()
        yield chunk
        const prompt = performance.now() - given < PROMPT
        if (fast && !prompt) {
          await slowDown()
          buffer = Buffer.allocUnsafeSlow(small)
        } else if (!fast && prompt && position < end && this.#fastReaders < FAST_READERS) {
          fast = true
          this.#fastReaders++
          giveBack(buffer)
          buffer = this.takeBuffer()
        }
      }
    } finally {
      if (fast) await slowDown()
      else giveBack(buffer)
      await handle.close()
    }
  }

  takeBuffer(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(BATCH_SIZE)
  }

  giveBuffer(buffer: Buffer): void {
    if (this.#spare.length < SPARE_BUFFERS) this.#spare.push(buffer)
    else giveBack(buffer)
  }
}
