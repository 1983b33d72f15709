import type { AbortOptions } from '../object-store.ts'
import { Rounds } from '../rounds.ts'
import type { Bucket } from './bucket.ts'
import { keys } from './keys.ts'
import { LEASE } from './lease-time.ts'
import type { Locks } from './locks.ts'

/** Bytes of a lock's object that nobody has: the name of a write, and nothing else. */
const NOBODY = 64
/** Between two rounds, in milliseconds. */
const EVERY = 2 * LEASE

/** Finishes what processes that died were about to do, also where nobody wants their locks: a commit must not stay half done. */
export class Recovery {
  readonly #bucket: Bucket
  readonly #locks: Locks
  readonly #rounds = new Rounds(async (signal) => {
    // What fails, the next round does, or whoever wants the lock.
    await this.recover({ signal }).catch(() => {})
    return EVERY
  })

  constructor(bucket: Bucket, locks: Locks) {
    this.#bucket = bucket
    this.#locks = locks
  }

  /** Now, and from time to time: leases of those that died lately have not run out yet. @throws StorageFailedError */
  async start(): Promise<void> {
    await this.recover({})
    this.#rounds.start(EVERY)
  }

  close(): Promise<void> {
    return this.#rounds.stop()
  }

  async recover(options: AbortOptions): Promise<void> {
    const { objects } = await this.#bucket.page(keys.lock(''), options)
    for (const { path, size } of objects) if (size > NOBODY) await this.#locks.recover(path.slice(keys.lock('').length), options)
  }
}
