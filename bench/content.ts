import { createHash, randomBytes } from 'node:crypto'

/** Bytes of a block; layers are whole blocks. */
export const BLOCK: number = 1024 * 1024
/** Docker sends what Go's `io.Copy` hands on: pieces of 32 KiB, each an HTTP chunk. */
const PIECE = 32 * 1024

const HEAD = Buffer.from(`${PIECE.toString(16)}\r\n`)
const TAIL = Buffer.from('\r\n')
const noise = randomBytes(BLOCK)

/**
 * An incompressible layer that no run has seen before: one block of noise over and over, each piece with its own first
 * bytes, so that whoever cuts it into chunks, of whatever size, has none of them twice.
 */
export interface Layer {
  readonly seed: bigint
  /** Bytes. */
  readonly size: number
  readonly digest: string
}

/** Hashes the whole layer: do it before the clock starts. */
export function createLayer(size: number): Layer {
  if (size % BLOCK !== 0) throw new Error(`${size} is not a multiple of ${BLOCK}`)
  const seed = randomBytes(8).readBigUInt64LE()
  const hash = createHash('sha256')
  const block = Buffer.from(noise)
  for (let index = 0; index < size / BLOCK; index++) hash.update(stamp(block, seed, index))
  return { seed, size, digest: `sha256:${hash.digest('hex')}` }
}

/** The layer in HTTP's chunked coding. The one buffer is used again and again: take the next when the last is written. */
export function* chunked({ seed, size }: Layer): Generator<Uint8Array> {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < BLOCK; at += PIECE) pieces.push(HEAD, noise.subarray(at, at + PIECE), TAIL)
  const framed = Buffer.concat(pieces)
  for (let index = 0; index < size / BLOCK; index++) yield stamp(framed, seed, index, HEAD.length, HEAD.length + PIECE + TAIL.length)
  yield Buffer.from('0\r\n\r\n')
}

/** The pieces of a block; the first begins at `first`, the next ones `distance` after one another. */
function stamp(buffer: Buffer, seed: bigint, block: number, first: number = 0, distance: number = PIECE): Buffer {
  for (let piece = 0; piece < BLOCK / PIECE; piece++) {
    const at = first + piece * distance
    buffer.writeBigUInt64LE(seed, at)
    buffer.writeBigUInt64LE(BigInt(block * (BLOCK / PIECE) + piece), at + 8)
  }
  return buffer
}

/** The layer as it is. The one buffer is used again and again, as above. */
export function* plain({ seed, size }: Layer): Generator<Uint8Array> {
  const block = Buffer.from(noise)
  for (let index = 0; index < size / BLOCK; index++) yield stamp(block, seed, index)
}
