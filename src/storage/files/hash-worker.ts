import { createHash, hash, type Hash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { setPriority } from 'node:os'
import { parentPort, type MessagePort } from 'node:worker_threads'
import type { DigestAlgorithm } from '../../oci/digest.ts'
import { CHUNK_SIZE } from '../object-store.ts'

/** What to compute of a file. */
export interface HashTask {
  readonly key: string
  readonly path: string
  /** Of the whole; not at all when undefined. */
  readonly algorithm: DigestAlgorithm | undefined
  /** Whether to hash the chunks as well. */
  readonly chunks: boolean
}

export type HashRequest =
  | { readonly type: 'follow'; readonly task: HashTask; readonly size: number }
  | { readonly type: 'finish'; readonly task: HashTask; readonly size: number; readonly id: number }
  | { readonly type: 'forget'; readonly key: string }

export interface HashOutcome {
  readonly id: number
  readonly hex?: string | undefined
  readonly chunks?: Uint8Array | undefined
  readonly error?: unknown
}

/** Enough for requests to go first, and not so much that other programs starve the hashing. */
const NICENESS = 5

/** One file as far as it has been hashed: always up to the end of a chunk, so that it can go on from there. */
class FileHash {
  readonly #path: string
  readonly #whole: Hash | undefined
  readonly #chunks: Buffer[] | undefined
  readonly #buffer: Buffer
  readonly #algorithm: DigestAlgorithm | undefined
  position = 0
  target = 0

  constructor({ path, algorithm, chunks }: HashTask, buffer: Buffer) {
    this.#path = path
    this.#algorithm = algorithm
    this.#whole = algorithm === undefined ? undefined : createHash(algorithm)
    this.#chunks = chunks ? [] : undefined
    this.#buffer = buffer
  }

  get behind(): boolean {
    return this.position + CHUNK_SIZE <= this.target
  }

  /** Hashes one chunk. */
  step(): void {
    const chunk = this.#load(CHUNK_SIZE)
    this.#whole?.update(chunk)
    this.#chunks?.push(hash('sha256', chunk, 'buffer'))
    this.position += CHUNK_SIZE
  }

  /** The result for `target` bytes; the state stays at the chunk's start, as more may come. */
  result(): Pick<HashOutcome, 'hex' | 'chunks'> {
    const rest = this.#load(this.target - this.position)
    const hex = this.#whole?.copy().update(rest).digest('hex')
    if (this.#chunks === undefined || rest.byteLength === 0) return { hex, ...this.#joined() }
    // A blob of one chunk has the digest for its chunk's hash.
    const last = this.position === 0 && this.#algorithm === 'sha256' && hex !== undefined ? Buffer.from(hex, 'hex') : hash('sha256', rest, 'buffer')
    return { hex, ...this.#joined(last) }
  }

  #joined(...last: Buffer[]): { chunks?: Uint8Array } {
    return this.#chunks === undefined ? {} : { chunks: new Uint8Array(Buffer.concat([...this.#chunks, ...last])) }
  }

  /** Opens the file each time: a descriptor that is kept would keep the space of a file that another process deletes. */
  #load(length: number): Buffer {
    const fd = openSync(this.#path, 'r')
    try {
      for (let filled = 0; filled < length; ) {
        const read = readSync(fd, this.#buffer, filled, length - filled, this.position + filled)
        if (read === 0) throw new Error(`the file ends at ${this.position + filled}, before ${this.target}`)
        filled += read
      }
    } finally {
      closeSync(fd)
    }
    return this.#buffer.subarray(0, length)
  }
}

/** Hashes files in turns, a few chunks each, so that none waits for the end of another. */
class HashThread {
  readonly #port: MessagePort
  readonly #files = new Map<string, FileHash>()
  readonly #finishing = new Map<string, number>()
  readonly #buffer = Buffer.allocUnsafeSlow(CHUNK_SIZE)
  #running = false

  constructor(port: MessagePort) {
    this.#port = port
  }

  serve(): void {
    yieldToOthers()
    this.#port.on('message', (request: HashRequest) => this.#receive(request))
  }

  #receive(request: HashRequest): void {
    if (request.type === 'forget') {
      this.#forget(request.key)
      return
    }
    const { task, size } = request
    if (request.type === 'finish') this.#finishing.set(task.key, request.id)
    this.#guarded(task.key, () => {
      let file = this.#files.get(task.key)
      if (file === undefined) {
        file = new FileHash(task, this.#buffer)
        this.#files.set(task.key, file)
      }
      file.target = size
    })
    if (!this.#running) this.#turn()
  }

  #turn(): void {
    let busy = false
    for (const [key, file] of this.#files) {
      this.#guarded(key, () => {
        for (let i = 0; i < 4 && file.behind; i++) file.step()
        if (file.behind) {
          busy = true
          return
        }
        const id = this.#finishing.get(key)
        if (id === undefined) return
        this.#port.postMessage({ id, ...file.result() } satisfies HashOutcome)
        this.#finishing.delete(key)
      })
    }
    this.#running = busy
    if (busy) setImmediate(() => this.#turn())
  }

  /** A file that cannot be read says so to whoever waits for it; one that is only followed is tried again at the end. */
  #guarded(key: string, act: () => void): void {
    try {
      act()
    } catch (error) {
      const id = this.#finishing.get(key)
      this.#forget(key)
      if (id !== undefined) this.#port.postMessage({ id, error } satisfies HashOutcome)
    }
  }

  #forget(key: string): void {
    this.#files.delete(key)
    this.#finishing.delete(key)
  }
}

/**
 * Hashing takes most of the CPU of a push, and answers to requests must not queue behind it. On Linux 0 is the calling
 * thread (setpriority(2), Notes); elsewhere it would be the whole process.
 */
function yieldToOthers(): void {
  if (process.platform === 'linux') setPriority(0, NICENESS)
}

if (parentPort !== null) new HashThread(parentPort).serve()
