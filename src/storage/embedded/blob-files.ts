import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, unlink, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StorageFailedError } from '../errors.ts'
import { giveBack } from '../give-back.ts'
import type { ReadOptions } from '../object-store.ts'

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

/** The files that hold large objects and uploads. A file has one name for life; what it is, only the database says. */
export class BlobFiles {
  readonly #directory: string
  readonly #spare: Buffer[] = []
  #fastReaders = 0
  /** Directories whose own names are known to be durable: 256 at most. */
  readonly #durable = new Set<string>()

  constructor(directory: string) {
    this.#directory = directory
  }

  /** A name that no file has had before. */
  name(): string {
    return randomBytes(16).toString('hex')
  }

  path(file: string): string {
    return join(this.#directory, file.slice(0, 2), file)
  }

  /** Opens a file to go on writing it, and makes it where there is none. */
  async create(file: string): Promise<FileHandle> {
    const path = this.path(file)
    return storing(path, async () => {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      return open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    })
  }

  /** Makes the name of a file as durable as its bytes. */
  async syncName(file: string): Promise<void> {
    const directory = dirname(this.path(file))
    await storing(directory, async () => {
      await syncDirectory(directory)
      if (this.#durable.has(directory)) return
      // Another process may have made it just now, and not have got to this yet.
      await syncDirectory(this.#directory)
      this.#durable.add(directory)
    })
  }

  /** A file opened to be read, or undefined when there is none. */
  async open(file: string): Promise<FileHandle | undefined> {
    const path = this.path(file)
    return storing(path, () => open(path, 'r').catch(absent))
  }

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

  /** Removes files that nothing points to, durably, so that they can be forgotten. */
  async unlink(files: readonly string[]): Promise<void> {
    for (const file of files) await storing(file, () => unlink(this.path(file)).catch(absent))
    for (const directory of new Set(files.map((file) => dirname(this.path(file))))) {
      await storing(directory, () => syncDirectory(directory).catch(absent))
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

/** A new or removed name is in its directory's own data: that has to be synced as well. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Does something with the medium. @throws StorageFailedError with what the system said as its cause */
export async function storing<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    if (cause instanceof StorageFailedError) throw cause
    throw new StorageFailedError(`storage failed at ${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** Whether the medium is full, and nothing of what was tried has happened. */
export function isNoSpace(error: unknown): boolean {
  const code = error instanceof StorageFailedError ? (error.cause as NodeJS.ErrnoException | undefined)?.code : undefined
  return code === 'ENOSPC' || code === 'EDQUOT'
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw error
}
