import type { AbortOptions } from '../object-store.ts'
import { Rounds } from '../rounds.ts'
import type { Bucket } from './bucket.ts'
import { keys, type BucketPlaces } from './keys.ts'
import { deletePaths } from './steps.ts'

/** Between two rounds, in milliseconds. */
const EVERY = 6 * 3_600_000
/** What is so old and belongs to nothing was left by a process that died, in milliseconds. */
const LEFT = 24 * 3_600_000

/** Takes away what processes that died have left in a bucket: parts, pieces of uploads that are no more, notes of commits that are over. */
export class Sweeper {
  readonly #bucket: Bucket
  readonly #places: BucketPlaces
  readonly #rounds = new Rounds(async (signal) => {
    // It is a courtesy: what fails, the next round does.
    await this.sweep({ signal }).catch(() => {})
    return EVERY
  })

  constructor(bucket: Bucket, places: BucketPlaces) {
    this.#bucket = bucket
    this.#places = places
  }

  start(): void {
    this.#rounds.start()
  }

  close(): Promise<void> {
    return this.#rounds.stop()
  }

  /** @param before what is older, in milliseconds since the epoch */
  async sweep(options: AbortOptions, before: number = Date.now() - LEFT): Promise<void> {
    await this.#uploads(before, options)
    await this.#journals(before, options)
    // Only where we make objects of parts: the bucket may be others' as well.
    await this.#bucket.tidy(before, (path) => this.#places.isConstant(path), options)
  }

  /** Pieces without a session. */
  async #uploads(before: number, options: AbortOptions): Promise<void> {
    let next: string | undefined
    do {
      const page = await this.#bucket.page(keys.uploads, { ...options, next })
      const directories = new Set(page.objects.map(({ path }) => directoryOf(path)))
      for (const directory of directories) {
        const own = page.objects.filter(({ path, modifiedAt }) => directoryOf(path) === directory && modifiedAt < before)
        if (own.length > 0 && (await this.#bucket.head(`${directory}session`, options)) === undefined) {
          await deletePaths(this.#bucket, own.map(({ path }) => path), options)
        }
      }
      next = page.next
    } while (next !== undefined)
  }

  /** Notes that no lock refers to. */
  async #journals(before: number, options: AbortOptions): Promise<void> {
    const { objects } = await this.#bucket.page(keys.journals, options)
    const old = objects.filter(({ modifiedAt }) => modifiedAt < before)
    if (old.length === 0) return
    const locks = await this.#bucket.page(keys.lock(''), options)
    const held = await Promise.all(locks.objects.map(async ({ path }) => Buffer.from((await this.#bucket.get(path, options))?.data ?? []).toString()))
    const over = old.filter(({ path }) => !held.some((lock) => lock.includes(path.slice(keys.journals.length))))
    await deletePaths(this.#bucket, over.map(({ path }) => path), options)
  }
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}
