import type { DigestAlgorithm } from '../../oci/digest.ts'
import { PIECE, type PiecePool } from './piece-pool.ts'
import type { Hashes, StreamHashes } from './stream-hashes.ts'

/** Hashes what comes in threads, while more comes. */
export async function hashAll(
  source: AsyncIterable<Uint8Array>, hashes: StreamHashes, pool: PiecePool, algorithm: DigestAlgorithm | undefined, chunks: boolean,
): Promise<Hashes & { readonly size: number }> {
  const memory = await pool.take(2)
  const stream = hashes.begin(algorithm, chunks)
  const hashing: Promise<void>[] = memory.map(() => Promise.resolve())
  let size = 0
  let current = 0
  let used = 0
  const feed = async (): Promise<void> => {
    const bytes = memory[current]
    if (bytes === undefined || used === 0) return
    const fed = stream.feed(bytes.subarray(0, used))
    fed.catch(() => {})
    hashing[current] = fed
    current = (current + 1) % memory.length
    used = 0
    await hashing[current]
  }
  try {
    for await (const chunk of source) {
      for (let taken = 0; taken < chunk.byteLength; ) {
        const part = chunk.subarray(taken, taken + PIECE - used)
        memory[current]?.set(part, used)
        used += part.byteLength
        taken += part.byteLength
        if (used === PIECE) await feed()
      }
      size += chunk.byteLength
    }
    await feed()
    return { ...(await stream.digest()), size }
  } finally {
    await Promise.allSettled(hashing)
    stream.end()
    for (const piece of memory) pool.give(piece)
  }
}
