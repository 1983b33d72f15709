import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { RegistryError } from '../oci/errors.ts'
import type { BcryptAnswer, BcryptQuestion } from './bcrypt-worker.ts'

/** Passwords that may wait: at 60 ms each, some seconds. */
const MAX_WAITING = 64

interface Waiting {
  readonly resolve: (matches: boolean) => void
  readonly reject: (reason: unknown) => void
}

/** Compares passwords with bcrypt hashes in a thread of its own: each takes tens of milliseconds on purpose. */
export class BcryptThread {
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #next = 0

  /** @throws RegistryError TOOMANYREQUESTS when too many wait, UNAVAILABLE when the thread is lost */
  matches(password: string, hash: string): Promise<boolean> {
    if (this.#waiting.size >= MAX_WAITING) {
      return Promise.reject(new RegistryError('TOOMANYREQUESTS', 'too many log in at once', { headers: { 'Retry-After': '2' } }))
    }
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    const question: BcryptQuestion = { id: this.#next++, password, hash }
    this.#waiting.set(question.id, { resolve, reject })
    this.#worker ??= this.#start()
    this.#worker.ref()
    this.#worker.postMessage(question)
    return promise
  }

  async close(): Promise<void> {
    await this.#worker?.terminate()
  }

  #start(): Worker {
    const worker = new Worker(new URL(`./bcrypt-worker${extname(import.meta.url)}`, import.meta.url), { execArgv: [] })
    worker.on('message', ({ id, matches }: BcryptAnswer) => {
      this.#waiting.get(id)?.resolve(matches)
      this.#waiting.delete(id)
      if (this.#waiting.size === 0) worker.unref()
    })
    worker.on('error', (cause) => this.#lose(worker, cause))
    worker.on('exit', () => this.#lose(worker))
    return worker
  }

  #lose(worker: Worker, cause?: unknown): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    for (const { reject } of this.#waiting.values()) reject(new RegistryError('UNAVAILABLE', 'passwords cannot be checked now', { cause }))
    this.#waiting.clear()
  }
}
