import { createHash, hash, randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ObjectUnknownError, StorageFailedError } from '../errors.ts'
import type { HashPool } from '../files/hash-pool.ts'
import { CHUNK_SIZE, type AbortOptions } from '../object-store.ts'
import { type Disk, onDisk, readFile, unlessThere } from './disk.ts'
import { chunkFile, type TreePaths } from './tree-paths.ts'

const HASH_SIZE = 32
/** An object that was put anew as often while it was hashed is not worth another try. */
const ATTEMPTS = 5

/** Hashes of objects' chunks, each object's in a file beside it. They can be had again: nothing waits for the medium. */
export class ChunkFiles {
  readonly #disk: Disk
  readonly #paths: TreePaths
  readonly #hashes: HashPool

  constructor(disk: Disk, paths: TreePaths, hashes: HashPool) {
    this.#disk = disk
    this.#paths = paths
    this.#hashes = hashes
  }

  /** @throws ObjectUnknownError */
  async get(path: string, { signal }: AbortOptions = {}): Promise<Uint8Array> {
    const file = this.#paths.file(path)
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      signal?.throwIfAborted()
      const state = await this.#stateOf(file)
      if (state === undefined) throw new ObjectUnknownError(path)
      const known = await this.#load(file, state)
      if (known !== undefined) return known
      try {
        const chunks = state.size === 0 ? new Uint8Array() : await this.#hashes.chunks(file, state.size, signal)
        if ((await this.#stateOf(file))?.key !== state.key) continue
        await this.#save(file, state, chunks)
        return chunks
      } catch (error) {
        signal?.throwIfAborted()
        // It may have gone, or been put anew.
        if ((await this.#stateOf(file))?.key === state.key) throw error
      }
    }
    throw new StorageFailedError(`${path} changes all the time`)
  }

  /** Keeps what was computed as the bytes came in. */
  async put(path: string, chunks: Uint8Array): Promise<void> {
    const file = this.#paths.file(path)
    const state = await this.#stateOf(file)
    if (state !== undefined) await this.#save(file, state, chunks)
  }

  async #load(file: string, { key, size }: State): Promise<Uint8Array | undefined> {
    const data = size <= CHUNK_SIZE ? undefined : await onDisk(file, () => readFile(chunkFile(file)))
    if (data?.byteLength !== (Math.ceil(size / CHUNK_SIZE) + 1) * HASH_SIZE) return undefined
    const chunks = data.subarray(HASH_SIZE)
    return checksum(key, chunks).equals(data.subarray(0, HASH_SIZE)) ? chunks : undefined
  }

  async #save(file: string, { key, size }: State, chunks: Uint8Array): Promise<void> {
    if (size <= CHUNK_SIZE) return
    const temporary = join(this.#paths.temporary, randomUUID())
    try {
      await this.#disk.writeNew(temporary, Buffer.concat([checksum(key, chunks), chunks]), { durable: false })
      await this.#disk.rename(temporary, chunkFile(file))
    } catch {
      // Computed again the next time. On a full disk, or one that can't be written, nobody has to fail for it.
    }
  }

  async #stateOf(file: string): Promise<State | undefined> {
    const found = await onDisk(file, () => stat(file, { bigint: true }).catch(unlessThere))
    return found?.isFile() === true ? { key: `${found.ino} ${found.size} ${found.mtimeNs}`, size: Number(found.size) } : undefined
  }
}

interface State {
  /** What a file has that is put in its place has another of. */
  readonly key: string
  /** Bytes. */
  readonly size: number
}

function checksum(key: string, chunks: Uint8Array): Buffer {
  return chunks.byteLength === 0 ? hash('sha256', key, 'buffer') : createHash('sha256').update(key).update(chunks).digest()
}
