import type { FileHandle } from 'node:fs/promises'
import { BATCH_SIZE, type FileStreams } from './file-streams.ts'
import { isNoSpace, storing } from './medium.ts'

/** Bytes after which what was written is made durable, also in mid-upload. */
const SYNC_EVERY = 32 * 1024 * 1024
/** How long bytes wait for more to come, so that they are written together, in milliseconds. */
const GATHERING = 5

export interface UploadWriterOptions {
  readonly streams: Pick<FileStreams, 'takeBuffer' | 'giveBuffer'>
  /** What it is called where something fails. */
  readonly file: string
  readonly handle: FileHandle
  /** Where the file's good bytes end. */
  readonly size: number
  /** Before bytes are written: throws where the file is no longer ours. */
  readonly before: () => void
  /** Whether what is told of survives a power loss. @default true */
  readonly durable?: boolean
  /** Makes the name of the file durable. */
  readonly syncName: () => Promise<void>
  /** The file has this many bytes. */
  readonly written: (size: number) => void
  /** Bytes are about to be written, at this offset. They are good until the promise has settled. */
  readonly tee?: ((bytes: Uint8Array, offset: number) => Promise<void> | undefined) | undefined
  /** This many bytes are there to stay. */
  readonly synced: (size: number) => Promise<void>
}

/**
 * Writes the small chunks of a socket in large batches: one batch is gathered while the one before is on its way. Once a
 * write or a sync has failed it writes no more: the system tells of a failed sync once, and a second would succeed.
 */
export class UploadWriter {
  readonly #options: UploadWriterOptions
  readonly #timer: NodeJS.Timeout
  #batch: Buffer | undefined
  #other: Buffer | undefined
  #gathered = 0
  #written: number
  #synced: number
  /** What the last sync that has begun will have made durable. */
  #syncedSoon: number
  #nameSynced: boolean
  #writing: Promise<void> | undefined
  #syncing: Promise<void> | undefined
  #failure: unknown

  constructor(options: UploadWriterOptions) {
    this.#options = options
    this.#written = options.size
    this.#synced = options.size
    this.#syncedSoon = options.size
    this.#nameSynced = options.size > 0
    this.#timer = setTimeout(() => this.#idle(), GATHERING)
  }

  /** Is through with the chunk at once, where it returns nothing, else when the promise resolves. */
  add(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#gathered + chunk.byteLength >= BATCH_SIZE) return this.#addInParts(chunk)
    this.#gather(chunk)
    this.#timer.refresh()
    return undefined
  }

  async #addInParts(chunk: Uint8Array): Promise<void> {
    for (let taken = 0; taken < chunk.byteLength; ) {
      const part = chunk.subarray(taken, taken + BATCH_SIZE - this.#gathered)
      taken += part.byteLength
      if (part.byteLength === BATCH_SIZE) {
        await this.#writeWhole(part)
        continue
      }
      this.#gather(part)
      if (this.#gathered === BATCH_SIZE) await this.#flush()
    }
    if (this.#gathered > 0) this.#timer.refresh()
  }

  /** Writes and syncs what has been gathered. Resolves with the size that is durable. @throws what made a write or sync fail */
  async end(): Promise<number> {
    clearTimeout(this.#timer)
    await this.#flush().catch(() => {})
    await this.#writing
    await this.#syncing
    if (this.#failure === undefined && this.#written > this.#synced) {
      this.#beginSync()
      await this.#syncing
    }
    if (this.#failure === undefined) return this.#written
    // Without some room in the database nobody could even delete: let it have that of what is not durable.
    if (isNoSpace(this.#failure)) await this.#options.handle.truncate(this.#synced).catch(() => {})
    throw this.#failure
  }

  /** Once nothing runs any more. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    await Promise.allSettled([this.#writing, this.#syncing])
    this.#giveBuffers()
    await this.#options.handle.close()
  }

  /** Nothing more has come for a while: let readers have what there is, and then others the memory. */
  #idle(): void {
    if (this.#failure !== undefined) return
    if (this.#writing === undefined && this.#gathered === 0) return this.#giveBuffers()
    if (this.#writing === undefined) this.#begin()
    this.#timer.refresh()
  }

  #gather(part: Uint8Array): void {
    this.#batch ??= this.#options.streams.takeBuffer()
    this.#batch.set(part, this.#gathered)
    this.#gathered += part.byteLength
  }

  #giveBuffers(): void {
    for (const buffer of [this.#batch, this.#other]) if (buffer !== undefined) this.#options.streams.giveBuffer(buffer)
    this.#batch = undefined
    this.#other = undefined
  }

  /** What is a batch of its own is not copied. */
  async #writeWhole(batch: Uint8Array): Promise<void> {
    await this.#flush()
    this.#start(batch)
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure
  }

  async #flush(): Promise<void> {
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure
    if (this.#gathered > 0) this.#begin()
    if (this.#written - this.#syncedSoon < SYNC_EVERY) return
    await this.#writing
    await this.#syncing
    this.#beginSync()
  }

  #beginSync(): void {
    this.#syncing = this.#sync().catch((error: unknown) => {
      this.#failure ??= error
    }).finally(() => {
      this.#syncing = undefined
    })
  }

  #begin(): void {
    const full = this.#batch
    if (full === undefined) return
    const batch = full.subarray(0, this.#gathered)
    this.#batch = this.#other
    this.#other = full
    this.#gathered = 0
    this.#start(batch)
  }

  #start(batch: Uint8Array): void {
    this.#writing = this.#write(batch).catch((error: unknown) => {
      this.#failure ??= error
    }).finally(() => {
      this.#writing = undefined
    })
  }

  async #write(batch: Uint8Array): Promise<void> {
    const { before, file, handle, tee, written } = this.#options
    before()
    const taken = tee?.(batch, this.#written)
    try {
      for (let done = 0; done < batch.byteLength; ) {
        const { bytesWritten } = await storing(file, () => handle.write(batch, done, batch.byteLength - done, this.#written))
        done += bytesWritten
        this.#written += bytesWritten
      }
      written(this.#written)
    } finally {
      // Until then the memory is not ours to give back.
      await taken
    }
  }

  async #sync(): Promise<void> {
    const { synced, durable = true } = this.#options
    const size = this.#written
    this.#syncedSoon = size
    if (durable) await this.#syncFile()
    await synced(size)
    this.#synced = size
  }

  async #syncFile(): Promise<void> {
    const { file, handle, syncName } = this.#options
    await storing(file, () => handle.datasync())
    if (!this.#nameSynced) await syncName()
    this.#nameSynced = true
  }
}
