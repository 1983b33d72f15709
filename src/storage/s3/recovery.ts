import type { AbortOptions } from '../object-store.ts'
import type { Bucket } from './bucket.ts'
import { keys } from './keys.ts'
import { LEASE } from './lease-time.ts'
import type { Locks } from './locks.ts'

/** Bytes of a lock's object that nobody has: the name of a write, and nothing else. */
const NOBODY = 64

/** Finishes what processes that died were about to do, also where nobody wants their locks: a commit must not stay half done. */
export class Recovery {
  readonly #bucket: Bucket
  readonly #locks: Locks
  readonly #ended = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(bucket: Bucket, locks: Locks) {
    this.#bucket = bucket
    this.#locks = locks
  }

  /** Now, and from time to time: leases of those that died lately have not run out yet. @throws StorageFailedError */
  async start(): Promise<void> {
    await this.recover({})
    this.#timer = setInterval(() => {
      // What fails, the next round does, or whoever wants the lock.
      this.#running = this.recover({ signal: this.#ended.signal }).catch(() => {})
    }, 2 * LEASE).unref()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#ended.abort(new Error('closed'))
    await this.#running
  }

  async recover(options: AbortOptions): Promise<void> {
    const { objects } = await this.#bucket.page(keys.lock(''), options)
    for (const { path, size } of objects) if (size > NOBODY) await this.#locks.recover(path.slice(keys.lock('').length), options)
  }
}
