import { StorageFailedError } from '../errors.ts'
import { PIECE, type PiecePool } from './piece-pool.ts'

/** Memory with some of the bytes. */
export interface Filled {
  readonly bytes: Uint8Array
  used: number
  /** Bytes that have been given to the hash. */
  fed: number
  hashing: Promise<void>
}

/** Bytes of an upload that can be read: in memory, or from a place in one of its objects. */
export type Readable = { readonly bytes: Uint8Array } | { readonly name: string; readonly offset: number; readonly length: number }

export function emptyOf(bytes: Uint8Array): Filled {
  return { bytes, used: 0, fed: 0, hashing: Promise.resolve() }
}

/** A copy: the memory is another's as soon as the bytes are elsewhere. */
export function inMemory(memory: readonly Filled[], offset: number): Readable | undefined {
  let at = offset
  for (const { bytes, used } of memory) {
    if (at < used) return { bytes: Uint8Array.from(bytes.subarray(at, used)) }
    at -= used
  }
  return undefined
}

/**
 * Memory with all that `source` yields, and room for more.
 *
 * @param size bytes that it yields
 * @param hashed whether they have been given to the hash before
 */
export async function loadInto(pool: PiecePool, size: number, source: AsyncIterable<Uint8Array>, hashed: boolean): Promise<Filled[]> {
  const memory = (await pool.take(Math.ceil(size / PIECE) + 1)).map(emptyOf)
  const giveAll = (some: readonly Filled[]): void => {
    for (const { bytes } of some) pool.give(bytes)
  }
  try {
    let at = 0
    for await (const chunk of source) {
      for (let taken = 0; taken < chunk.byteLength; ) {
        const target = memory[Math.floor(at / PIECE)]
        if (target === undefined) throw new StorageFailedError('what was to be gone on with has grown')
        const part = chunk.subarray(taken, taken + PIECE - target.used)
        target.bytes.set(part, target.used)
        target.used += part.byteLength
        target.fed = hashed ? target.used : 0
        taken += part.byteLength
        at += part.byteLength
      }
    }
    if (at !== size) throw new StorageFailedError(`what was to be gone on with has ${at} bytes instead of ${size}`)
  } catch (error) {
    giveAll(memory)
    throw error
  }
  const used = memory.filter(({ used: bytes }, index) => bytes > 0 || index === 0)
  giveAll(memory.slice(used.length))
  return used
}
