import { hash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { DigestAlgorithm } from '../../oci/digest.ts'
import { StorageFailedError } from '../errors.ts'
import { threadFlags } from '../thread-flags.ts'
import type { HashOutcome, HashRequest, HashTask } from './hash-worker.ts'
import { storing } from './medium.ts'

export interface Hashes {
  /** Of the whole, when an algorithm was named. */
  readonly hex?: string | undefined
  /** sha2-256 of every chunk, when they were hashed along. */
  readonly chunks?: Uint8Array | undefined
}

/** Threads at most: hashing is all that they do, so one for a core. */
const MAX_THREADS = 8
/** Files followed at most. Beyond that the one begun first is dropped, and hashed from its beginning when its digest is asked for. */
const MAX_FOLLOWED = 64
/** Bytes up to which a file is not worth following: hashing it takes less time than a thread does to hear of it, let alone to start. */
export const SMALL_FILE: number = 64 * 1024
/** Bytes after which a thread hears that there is more: waking it costs as much as hashing 10 KiB. */
const TELL_EVERY = 4 * 1024 * 1024

interface Running {
  readonly task: HashTask
  readonly thread: HashThread
}

interface Followed {
  /** One that does all, or one for the whole and one for the chunks. */
  readonly tasks: readonly Running[]
  size: number
  /** What the threads have been told of. */
  told: number
  /** Lease under which the bytes were written. */
  holder: string
}

interface Pending {
  readonly thread: HashThread
  readonly resolve: (hashes: Hashes) => void
  readonly reject: (reason: unknown) => void
}

interface HashThread {
  readonly worker: Worker
  files: number
}

/**
 * Hashes files in threads of their own, from the page cache, while they are still being written. What it knows it can
 * lose: a digest is computed from the file's beginning where the bytes so far have not been followed here.
 */
export class HashPool {
  readonly #threads: HashThread[] = []
  readonly #followed = new Map<string, Followed>()
  readonly #pending = new Map<number, Pending>()
  readonly #size: number
  #next = 0
  #closed = false

  constructor(size: number = Math.min(availableParallelism(), MAX_THREADS)) {
    this.#size = size
  }

  /** Starts the first thread, which takes longer than hashing 50 MiB, before anybody waits for it. */
  prepare(): void {
    if (this.#threads.length === 0) this.#start()
  }

  /** Continues under a new lease; what was followed is good only if nobody else has written in between. */
  resume(path: string, size: number, previous: string | undefined, holder: string): void {
    const followed = this.#followed.get(path)
    if (followed === undefined) return
    if (followed.holder === previous && followed.size === size) followed.holder = holder
    else this.forget(path)
  }

  /** Tells that the file has `size` bytes now. Begins to follow it where `first` says what to hash of it. */
  follow(path: string, size: number, holder: string, first?: Pick<HashTask, 'chunks'>): void {
    let followed = this.#followed.get(path)
    if (followed === undefined) {
      if (first === undefined) return
      followed = { tasks: this.#divided({ key: path, path, algorithm: 'sha256', chunks: first.chunks }).map((task) => this.#begin(task)), size, told: 0, holder }
      this.#followed.set(path, followed)
      const [oldest] = this.#followed.keys()
      if (this.#followed.size > MAX_FOLLOWED && oldest !== undefined) this.forget(oldest)
    }
    followed.size = size
    if (size - followed.told < TELL_EVERY) return
    followed.told = size
    for (const { thread, task } of followed.tasks) this.#post(thread, { type: 'follow', task, size })
  }

  /** The digest of the first `size` bytes, which are all, and the hashes of the chunks if they are to be had along. */
  async digest(path: string, size: number, algorithm: DigestAlgorithm, signal?: AbortSignal): Promise<Hashes> {
    const followed = this.#followed.get(path)
    if (followed === undefined && size <= SMALL_FILE) return hashSmall(path, size, algorithm)
    if (followed === undefined) return this.#once({ key: '', path, algorithm, chunks: algorithm === 'sha256' }, size, signal)
    const useful = followed.tasks.filter(({ task }) => task.algorithm === algorithm || task.chunks)
    const known = useful.some(({ task }) => task.algorithm === algorithm)
    const results = await Promise.all([
      ...useful.map((running) => this.#finish(running, size, signal)),
      ...(known ? [] : [this.#once({ key: '', path, algorithm, chunks: false }, size, signal)]),
    ])
    return {
      hex: results.findLast(({ hex }) => hex !== undefined)?.hex,
      chunks: results.find(({ chunks }) => chunks !== undefined)?.chunks,
    }
  }

  /** The hashes of the chunks alone. */
  async chunks(path: string, size: number, signal?: AbortSignal): Promise<Uint8Array> {
    const { chunks } = await this.#once({ key: '', path, algorithm: undefined, chunks: true }, size, signal)
    return chunks ?? new Uint8Array()
  }

  forget(path: string): void {
    const followed = this.#followed.get(path)
    if (followed === undefined) return
    this.#followed.delete(path)
    for (const running of followed.tasks) this.#end(running)
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }

  async #once(task: HashTask, size: number, signal: AbortSignal | undefined): Promise<Hashes> {
    const started = this.#begin({ ...task, key: `once ${this.#next++}` })
    try {
      return await this.#finish(started, size, signal)
    } finally {
      this.#end(started)
    }
  }

  /** While two threads have nothing to do, a stream gets both: for one of them its socket is too fast. */
  #divided(task: HashTask): HashTask[] {
    const busy = this.#threads.filter(({ files }) => files > 0).length
    if (!task.chunks || this.#size - busy < 2) return [task]
    return [{ ...task, chunks: false }, { ...task, algorithm: undefined }]
  }

  #begin(task: HashTask): Running {
    let thread = this.#threads.reduce<HashThread | undefined>((least, next) => (least === undefined || next.files < least.files ? next : least), undefined)
    if (thread === undefined || (thread.files > 0 && this.#threads.length < this.#size)) thread = this.#start()
    thread.files++
    return { task, thread }
  }

  #end({ task, thread }: Running): void {
    thread.files--
    this.#post(thread, { type: 'forget', key: task.key })
  }

  #finish({ task, thread }: Running, size: number, signal: AbortSignal | undefined): Promise<Hashes> {
    if (this.#closed) return Promise.reject(new StorageFailedError('the store is closed'))
    const id = this.#next++
    const { promise, resolve, reject } = Promise.withResolvers<Hashes>()
    const onAbort = (): void => this.#settle(id)?.reject(signal?.reason)
    signal?.addEventListener('abort', onAbort)
    this.#pending.set(id, { thread, resolve, reject })
    thread.worker.ref()
    this.#post(thread, { type: 'finish', task, size, id })
    return promise.finally(() => signal?.removeEventListener('abort', onAbort))
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (this.#pending.size === 0) for (const { worker } of this.#threads) worker.unref()
    return pending
  }

  #post(thread: HashThread, request: HashRequest): void {
    thread.worker.postMessage(request)
  }

  #start(): HashThread {
    const worker = new Worker(new URL(`./hash-worker${extname(import.meta.url)}`, import.meta.url), { execArgv: threadFlags() })
    const thread = { worker, files: 0 }
    worker.on('message', ({ id, error, ...hashes }: HashOutcome) => {
      const pending = this.#settle(id)
      if (error === undefined) pending?.resolve(hashes)
      else pending?.reject(new StorageFailedError('a blob file could not be hashed', { cause: error }))
    })
    worker.on('error', (cause) => this.#lose(thread, new StorageFailedError('hashing failed', { cause })))
    worker.on('exit', () => this.#lose(thread, new StorageFailedError('the store is closed')))
    worker.unref()
    this.#threads.push(thread)
    return thread
  }

  #lose(thread: HashThread, reason: Error): void {
    const index = this.#threads.indexOf(thread)
    if (index >= 0) this.#threads.splice(index, 1)
    for (const [path, { tasks }] of this.#followed) if (tasks.some((task) => task.thread === thread)) this.forget(path)
    for (const [id, pending] of this.#pending) if (pending.thread === thread) this.#settle(id)?.reject(reason)
  }
}

async function hashSmall(path: string, size: number, algorithm: DigestAlgorithm): Promise<Hashes> {
  const bytes = Buffer.allocUnsafe(size)
  await storing(path, async () => {
    await using handle = await open(path)
    const { bytesRead } = await handle.read(bytes, 0, size, 0)
    if (bytesRead < size) throw new Error(`it ends at ${bytesRead}, before ${size}`)
  })
  return { hex: hash(algorithm, bytes), chunks: hash('sha256', bytes, 'buffer') }
}
