import { createHash, hash } from 'node:crypto'
import { ObjectUnknownError, StorageFailedError } from '../errors.ts'
import { CHUNK_SIZE, type AbortOptions } from '../object-store.ts'
import type { Bucket } from './bucket.ts'
import { hashAll } from './hashing.ts'
import { keys } from './keys.ts'
import type { PiecePool } from './piece-pool.ts'
import { readObject } from './reading.ts'
import type { StreamHashes } from './stream-hashes.ts'

const HASH_SIZE = 32
/** An object that was put anew as often while it was hashed is not worth another try. */
const ATTEMPTS = 5

interface State {
  readonly etag: string
  /** Bytes. */
  readonly size: number
}

/** Hashes of objects' chunks, each object's in one of ours. They can be had again: nobody fails for them. */
export class ChunkObjects {
  readonly #bucket: Bucket
  readonly #hashes: StreamHashes
  readonly #pool: PiecePool

  constructor(bucket: Bucket, hashes: StreamHashes, pool: PiecePool) {
    this.#bucket = bucket
    this.#hashes = hashes
    this.#pool = pool
  }

  /** @throws ObjectUnknownError */
  async get(path: string, { signal }: AbortOptions = {}): Promise<Uint8Array> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const state = await this.#bucket.head(path, { signal })
      if (state === undefined) throw new ObjectUnknownError(path)
      const known = await this.#load(path, state, signal)
      if (known !== undefined) return known
      try {
        const source = readObject(this.#bucket, path, { etag: state.etag, signal })
        const { chunks = new Uint8Array(), size } = await hashAll(source, this.#hashes, this.#pool, undefined, true)
        if (size !== state.size) continue
        await this.put(path, state, chunks)
        return chunks
      } catch (error) {
        signal?.throwIfAborted()
        // It may have gone, or been put anew.
        if ((await this.#bucket.head(path, { signal }))?.etag === state.etag) throw error
      }
    }
    throw new StorageFailedError(`${path} changes all the time`)
  }

  /** Keeps what was computed of an object in this state. */
  async put(path: string, state: State, chunks: Uint8Array): Promise<void> {
    if (state.size <= CHUNK_SIZE) return
    await this.#bucket.put(keys.chunks(path), Buffer.concat([checksum(state, chunks), chunks])).catch(() => {})
  }

  async #load(path: string, state: State, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    if (state.size === 0) return new Uint8Array()
    const data = state.size <= CHUNK_SIZE ? undefined : (await this.#bucket.get(keys.chunks(path), { signal }))?.data
    if (data?.byteLength !== (Math.ceil(state.size / CHUNK_SIZE) + 1) * HASH_SIZE) return undefined
    const chunks = data.subarray(HASH_SIZE)
    return checksum(state, chunks).equals(data.subarray(0, HASH_SIZE)) ? chunks : undefined
  }
}

function checksum({ etag, size }: State, chunks: Uint8Array): Buffer {
  const key = `${etag} ${size}`
  return chunks.byteLength === 0 ? hash('sha256', key, 'buffer') : createHash('sha256').update(key).update(chunks).digest()
}
