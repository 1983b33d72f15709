import type { FileBlock } from '../unixfs/walk-file.ts'

/**
 * Which slice of an object is a block: `head`, then the slice, then `tail`. A node above leaves carries no bytes of the
 * object: all of it is `head`.
 */
export interface SliceRow {
  /** sha2-256 of the block, 32 bytes. */
  readonly hash: Uint8Array
  /** Offset of the slice in the object, in bytes. */
  readonly offset: number
  /** Bytes of the slice. */
  readonly length: number
  readonly head: Uint8Array
  readonly tail: Uint8Array
}

const HASH = 32
/** hash, offset (6 bytes), lengths of slice, head and tail (4 bytes each). */
const FIXED: number = HASH + 6 + 3 * 4
const PAGE = 64 * 1024

/**
 * Rows kept in few bytes until they may be recorded: a leaf of an object takes 50 bytes and its head and tail, so that
 * 100 GiB in chunks of 1 MiB come to some 10 MB.
 */
export class SliceRows {
  readonly #pages: Buffer[] = []
  #used = PAGE

  add({ hash, offset, length, head, tail }: SliceRow): void {
    const size = FIXED + head.length + tail.length
    let page = this.#pages.at(-1)
    if (page === undefined || this.#used + size > page.length) {
      if (page !== undefined) this.#pages[this.#pages.length - 1] = page.subarray(0, this.#used)
      page = Buffer.alloc(Math.max(PAGE, size))
      this.#pages.push(page)
      this.#used = 0
    }
    const at = this.#used
    page.set(hash, at)
    page.writeUIntBE(offset, at + HASH, 6)
    page.writeUInt32BE(length, at + HASH + 6)
    page.writeUInt32BE(head.length, at + HASH + 10)
    page.writeUInt32BE(tail.length, at + HASH + 14)
    page.set(head, at + FIXED)
    page.set(tail, at + FIXED + head.length)
    this.#used = at + size
  }

  /** In the order in which they were added. */
  *[Symbol.iterator](): Generator<SliceRow, void, undefined> {
    for (const [index, page] of this.#pages.entries()) {
      const end = index === this.#pages.length - 1 ? this.#used : page.length
      for (let at = 0; at < end; ) {
        const body = at + FIXED
        const tail = body + page.readUInt32BE(at + HASH + 10)
        const next = tail + page.readUInt32BE(at + HASH + 14)
        yield {
          hash: page.subarray(at, at + HASH),
          offset: page.readUIntBE(at + HASH, 6),
          length: page.readUInt32BE(at + HASH + 6),
          head: page.subarray(body, tail),
          tail: page.subarray(tail, next),
        }
        at = next
      }
    }
  }
}

/** @param offset of the block's own bytes in the object */
export function rowOf({ cid, bytes, data }: FileBlock, offset: number): SliceRow {
  const end = data.offset + data.length
  return { hash: cid.multihash.digest, offset, length: data.length, head: bytes.subarray(0, data.offset), tail: bytes.subarray(end) }
}

/** A walk meets the root first; recorded last it tells that all of its DAG is there. */
export function* rootLast<T>(rows: Iterable<T>): Generator<T> {
  let root: { readonly row: T } | undefined
  for (const row of rows) {
    if (root === undefined) root = { row }
    else yield row
  }
  if (root !== undefined) yield root.row
}
