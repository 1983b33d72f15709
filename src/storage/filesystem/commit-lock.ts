import { setTimeout as sleep } from 'node:timers/promises'
import { StorageFailedError } from '../errors.ts'
import { FileLock } from '../file-lock.ts'

/** Between two looks at whether another process has given the lock back, in milliseconds. */
const LOOK_EVERY = 2
/** After so long without a pause others get a chance to take it, for so long, in milliseconds. */
const TURN = 100
const PAUSE = 5 * LOOK_EVERY
/** A commit holds it for as long as the medium takes; whoever holds it longer is stuck. In milliseconds. */
const TIMEOUT = 60_000

/** One commit at a time changes the tree, of whichever process; those of one process in the order in which they came. */
export class CommitLock {
  readonly #path: string
  readonly #makeDirectory: () => Promise<void>
  #lock: FileLock | undefined
  #last: Promise<void> = Promise.resolve()
  #releasedAt = 0
  #pausedAt = 0

  /** @param makeDirectory makes the directory that `path` is in again, where it may go while it is used. @default it may not */
  constructor(path: string, makeDirectory: () => Promise<void> = async () => {}) {
    this.#path = path
    this.#makeDirectory = makeDirectory
  }

  /**
   * Does `work` with the lock, once it is this one's turn and what it needs has been prepared.
   *
   * @throws StorageFailedError also when the lock's file has gone meanwhile: then another may have had the lock as well
   */
  async hold<T, R>(preparation: Promise<T>, work: (prepared: T) => Promise<R>): Promise<R> {
    const before = this.#last
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#last = promise
    try {
      const [prepared] = await Promise.all([preparation, before])
      const lock = await this.#take()
      try {
        const result = await work(prepared)
        if (!lock.isInPlace()) throw new StorageFailedError(`${this.#path} was removed in the middle of a commit`)
        return result
      } finally {
        lock.release()
        this.#releasedAt = performance.now()
      }
    } finally {
      void before.then(resolve)
    }
  }

  async close(): Promise<void> {
    await this.#last
    this.#lock?.close()
  }

  async #take(): Promise<FileLock> {
    await this.#letOthers()
    const deadline = Date.now() + TIMEOUT
    for (;;) {
      const lock = await this.#open()
      if (lock.tryTake()) {
        if (lock.isInPlace()) return lock
        lock.release()
      }
      if (Date.now() > deadline) throw new StorageFailedError(`another process has held ${this.#path} for ${TIMEOUT / 1000} s`)
      await sleep(LOOK_EVERY)
    }
  }

  /** Anew where another file is at its path, or none. */
  async #open(): Promise<FileLock> {
    if (this.#lock?.isInPlace() === true) return this.#lock
    this.#lock?.close()
    this.#lock = undefined
    try {
      this.#lock = new FileLock(this.#path)
    } catch {
      await this.#makeDirectory()
      this.#lock = new FileLock(this.#path)
    }
    return this.#lock
  }

  /** Who has one commit after the other would never be met without the lock by those who look for it now and then. */
  async #letOthers(): Promise<void> {
    const now = performance.now()
    if (now - this.#releasedAt > PAUSE) this.#pausedAt = now
    if (now - this.#pausedAt < TURN) return
    await sleep(PAUSE)
    this.#pausedAt = performance.now()
  }
}
