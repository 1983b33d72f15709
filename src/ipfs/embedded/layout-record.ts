import type { CID } from 'multiformats/cid'
import { inlined, sha256, type Block } from '../unixfs/block.ts'
import type { FileBlock } from '../unixfs/walk-file.ts'

/**
 * A layout that can't be told from the objects, in few bytes: 50 for each 256 KiB of an image of the original Disco. After
 * `MAGIC` come sections, each with its SHA-256 behind it:
 *
 *     FILE  length of the root's CID in one byte, the CID; then its blocks in the order in which a walk meets them, without the file's bytes:
 *             WRITTEN  lengths of what is before the bytes, of the bytes, and of what is behind them; what is before and behind
 *             SAME     as the last one that was written and has bytes
 *     TREE  number of blocks; of each its length and its bytes
 *
 * Hashes and offsets are not in it: they follow from the nodes. Numbers have four bytes, the highest first.
 */
export const MAGIC: Uint8Array = Buffer.from('disco layout 1\n')
export const TREE = 1
export const FILE = 2
export const WRITTEN = 1
export const SAME = 2

/** Blocks after which whoever writes or reads one lets others have their turn: some milliseconds, while HTTP waits. */
export const BLOCKS_A_TURN = 64

/** Bytes of a record at most. An image of 300 GiB in chunks of 256 KiB has as many. */
export const MAX_RECORD: number = 64 * 1024 * 1024
const FIRST_ROOM = 4096

/** Writes the record of one image. */
export class LayoutWriter {
  #bytes = Buffer.alloc(FIRST_ROOM)
  #used = 0
  #overfull = false

  addTree(blocks: readonly Block[]): void {
    const hashed = blocks.filter(({ cid }) => inlined(cid) === undefined)
    const begin = this.#begin(TREE)
    this.#put(numbers(hashed.length))
    for (const { bytes } of hashed) this.#put(numbers(bytes.length), bytes)
    this.#end(begin)
  }

  /** @param blocks whose bytes may be anything where they are the file's */
  async addFile(root: CID, blocks: AsyncIterable<FileBlock>): Promise<void> {
    const begin = this.#begin(FILE)
    this.#put([root.bytes.length], root.bytes)
    let last: Buffer | undefined
    for await (const { cid, bytes, data } of blocks) {
      if (inlined(cid) !== undefined) continue
      const end = data.offset + data.length
      const written = Buffer.concat([numbers(data.offset, data.length, bytes.length - end), bytes.subarray(0, data.offset), bytes.subarray(end)])
      if (data.length > 0 && last?.equals(written) === true) this.#put([SAME])
      else this.#put([WRITTEN], written)
      if (data.length > 0) last = written
    }
    this.#end(begin)
  }

  /** Undefined where there is nothing to tell, or too much. */
  finish(): { readonly record: Uint8Array | undefined; readonly overfull: boolean } {
    return { record: this.#overfull || this.#used === 0 ? undefined : this.#bytes.subarray(0, this.#used), overfull: this.#overfull }
  }

  #begin(kind: number): number {
    if (this.#used === 0) this.#put(MAGIC)
    const begin = this.#used
    this.#put([kind])
    return begin
  }

  #end(begin: number): void {
    this.#put(sha256(this.#bytes.subarray(begin, this.#used)))
  }

  #put(...parts: readonly ArrayLike<number>[]): void {
    for (const part of parts) {
      const needed = this.#used + part.length
      if (needed > MAX_RECORD) this.#overfull = true
      if (this.#overfull) return
      if (needed > this.#bytes.length) {
        const larger = Buffer.alloc(Math.max(needed, 2 * this.#bytes.length))
        larger.set(this.#bytes.subarray(0, this.#used))
        this.#bytes = larger
      }
      this.#bytes.set(part, this.#used)
      this.#used = needed
    }
  }
}

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index)
  return bytes
}
