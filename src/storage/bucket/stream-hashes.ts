import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { DigestAlgorithm } from '../../oci/digest.ts'
import { StorageFailedError } from '../errors.ts'
import { threadFlags } from '../thread-flags.ts'
import type { StreamAnswer, StreamRequest } from './stream-hash-worker.ts'

export interface Hashes {
  /** Of the whole, when an algorithm was named. */
  readonly hex?: string | undefined
  /** sha2-256 of every chunk, when they were asked for. */
  readonly chunks?: Uint8Array | undefined
}

/** Threads at most: hashing is all that they do, so one for a core. */
const MAX_THREADS = 8

interface HashThread {
  readonly worker: Worker
  readonly pending: Map<number, PromiseWithResolvers<StreamAnswer>>
  streams: number
}

/** What comes in is hashed in threads of their own, from the memory that it came into. */
export class StreamHashes {
  readonly #threads: HashThread[] = []
  readonly #size: number
  #next = 0
  #closed = false

  constructor(size: number = Math.min(availableParallelism(), MAX_THREADS)) {
    this.#size = size
  }

  /** Undefined for the algorithm: of the chunks alone. */
  begin(algorithm: DigestAlgorithm | undefined, chunks: boolean): StreamHash {
    if (this.#closed) throw new StorageFailedError('the store is closed')
    const stream = this.#next++
    const idle = this.#threads.find(({ streams }) => streams === 0)
    const least = this.#threads.reduce<HashThread | undefined>((best, each) => (best === undefined || each.streams < best.streams ? each : best), undefined)
    const thread = idle ?? (least === undefined || this.#threads.length < this.#size ? this.#start() : least)
    thread.streams++
    const ask = (request: StreamRequest & { readonly id: number }): Promise<StreamAnswer> => {
      if (!this.#threads.includes(thread)) return Promise.reject(new StorageFailedError('hashing failed'))
      const waiting = Promise.withResolvers<StreamAnswer>()
      thread.pending.set(request.id, waiting)
      thread.worker.ref()
      thread.worker.postMessage(request)
      return waiting.promise
    }
    thread.worker.postMessage({ type: 'begin', stream, algorithm, chunks } satisfies StreamRequest)
    return {
      feed: async (bytes) => void (await ask({ type: 'feed', stream, id: this.#next++, bytes })),
      digest: () => ask({ type: 'digest', stream, id: this.#next++ }),
      end: () => {
        thread.streams--
        thread.worker.postMessage({ type: 'end', stream } satisfies StreamRequest)
      },
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }

  #start(): HashThread {
    const worker = new Worker(new URL(`./stream-hash-worker${extname(import.meta.url)}`, import.meta.url), { execArgv: threadFlags() })
    const thread: HashThread = { worker, pending: new Map(), streams: 0 }
    worker.on('message', (answer: StreamAnswer) => {
      const waiting = thread.pending.get(answer.id)
      thread.pending.delete(answer.id)
      if (thread.pending.size === 0) worker.unref()
      waiting?.resolve(answer)
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
    for (const waiting of thread.pending.values()) waiting.reject(reason)
    thread.pending.clear()
  }
}

export interface StreamHash {
  /** Goes on with bytes, which must be in shared memory; resolves when they may be overwritten. */
  feed(bytes: Uint8Array): Promise<void>
  /** Of all that it was fed so far. */
  digest(): Promise<Hashes>
  end(): void
}
