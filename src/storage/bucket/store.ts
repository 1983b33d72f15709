import { ConflictError } from '../errors.ts'
import type {
  AbortOptions, Batch, ChunkHashes, Expectation, FinishedUpload, ListOptions, ObjectStat, ObjectStore, ReadOptions,
} from '../object-store.ts'
import { inParallel } from '../parallel.ts'
import type { Bucket } from './bucket.ts'
import { checkBucket } from './check.ts'
import { ChunkObjects } from './chunk-objects.ts'
import { Journal } from './journal.ts'
import { assertObject, keys, type BucketPlaces } from './keys.ts'
import { listNames } from './listing.ts'
import { Locks } from './locks.ts'
import { PiecePool } from './piece-pool.ts'
import { readObject } from './reading.ts'
import { Recovery } from './recovery.ts'
import { stepsOf } from './steps.ts'
import { StreamHashes } from './stream-hashes.ts'
import { Sweeper } from './sweeper.ts'
import { BucketUploads, type CheckedUpload } from './uploads.ts'

/** Memory for what is on its way into the bucket, in MiB, of all uploads together. */
const MEMORY = 128
/** Uploads of one commit that are worked on at a time, and expectations. */
const AT_ONCE = 8

export interface BucketStoreOptions {
  readonly places: BucketPlaces
  /** Nothing is finished or tidied up when it is opened. @default false */
  readonly readonly?: boolean | undefined
}

/**
 * Objects in a bucket, under the keys that Distribution gives them, for any number of processes on any number of machines.
 * There are no transactions: a commit has the locks of what it changes, which are objects changed only by who has seen
 * them; it notes what it is about to do, and does it in its order. Readers may see its first changes before its last ones;
 * one that is cut off is finished by whoever wants one of its locks next. Uploads become objects before, seen by nobody.
 */
export class BucketStore implements ObjectStore, ChunkHashes {
  readonly uploads: BucketUploads
  readonly bucket: Bucket
  readonly #places: BucketPlaces
  readonly #hashes: StreamHashes = new StreamHashes()
  readonly #chunks: ChunkObjects
  readonly #journal: Journal
  readonly #locks: Locks
  readonly #recovery: Recovery
  readonly #sweeper: Sweeper

  private constructor(bucket: Bucket, places: BucketPlaces) {
    this.bucket = bucket
    this.#places = places
    const pool = new PiecePool(Math.max(MEMORY, (4 * bucket.pieces.size) / 2 ** 20))
    this.#chunks = new ChunkObjects(bucket, this.#hashes, pool)
    this.#journal = new Journal(bucket, places)
    this.#locks = new Locks(bucket, (commit) => this.#journal.unfinished(commit))
    this.#recovery = new Recovery(bucket, this.#locks)
    this.#sweeper = new Sweeper(bucket, places)
    this.uploads = new BucketUploads({ bucket, pool, hashes: this.#hashes })
  }

  /** Opens a bucket, which has to be there, and is the store's from now on. @throws StorageFailedError when it can't be used */
  static async open(bucket: Bucket, { places, readonly = false }: BucketStoreOptions): Promise<BucketStore> {
    const store = new BucketStore(bucket, places)
    try {
      await checkBucket(bucket, { writable: !readonly })
      if (!readonly) await store.#recovery.start()
    } catch (error) {
      await store.close()
      throw error
    }
    if (!readonly) store.#sweeper.start()
    return store
  }

  /** Uploads and reads must have come to their end before. */
  async close(): Promise<void> {
    await this.#recovery.close()
    await this.#sweeper.close()
    await this.#locks.close()
    await this.#journal.close()
    await this.#hashes.close()
    this.bucket.close()
  }

  async stat(path: string, options: AbortOptions = {}): Promise<ObjectStat | undefined> {
    options.signal?.throwIfAborted()
    assertObject(path, this.#places)
    const found = await this.bucket.head(path, options)
    return found && { size: found.size, modifiedAt: found.modifiedAt }
  }

  async get(path: string, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    options.signal?.throwIfAborted()
    assertObject(path, this.#places)
    return (await this.bucket.get(path, options))?.data
  }

  async *read(path: string, options: ReadOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    assertObject(path, this.#places)
    yield* readObject(this.bucket, path, options)
  }

  async list(directory: string, options: ListOptions = {}): Promise<string[]> {
    options.signal?.throwIfAborted()
    return listNames(this.bucket, this.#places, directory, options)
  }

  async chunkHashes(path: string, options: AbortOptions = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted()
    assertObject(path, this.#places)
    return this.#chunks.get(path, options)
  }

  /**
   * Where whoever has it gets an object from the bucket itself, for a time; whether there is one nobody asks.
   *
   * @param seconds that it is good for
   */
  presigned(path: string, method: 'GET' | 'HEAD', seconds: number): Promise<string | undefined> {
    assertObject(path, this.#places)
    return this.bucket.presigned(path, method, seconds)
  }

  async commit({ expect = [], uploads = [], changes = [] }: Batch, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    for (const { path } of uploads) assertObject(path, this.#places)
    for (const change of changes) assertObject('put' in change ? change.put : change.delete, this.#places)
    const settled = await Promise.allSettled(uploads.map(({ id, digest }) => this.uploads.check(id, digest, options)))
    const checked = settled.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value)
    try {
      const failed = settled.find((outcome) => outcome.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      // Nobody sees them before something refers to them; but what does not happen shall leave nothing.
      if (expect.length === 0) await this.#place(checked, uploads, options)
      const [first, ...rest] = changes
      if (expect.length === 0 && first !== undefined && rest.length === 0 && 'put' in first && this.#places.isConstant(first.put)) {
        // It comes to the same in whatever order others do it.
        await this.bucket.put(first.put, first.data, options)
      } else if (expect.length > 0 || first !== undefined) {
        await this.#locks.hold(this.#groupsOf(expect, changes), options, async (held) => {
          await inParallel(expect, AT_ONCE, (expectation) => this.#check(expectation))
          if (expect.length > 0) await this.#place(checked, uploads, options)
          options.signal?.throwIfAborted()
          await this.#journal.run(held, stepsOf(changes))
        })
      }
    } catch (error) {
      await Promise.all(checked.map(({ session }) => this.uploads.release(session)))
      throw error
    }
    await inParallel(checked, AT_ONCE, async ({ session }, index) => {
      this.uploads.become(session, uploads[index]?.path ?? '')
      // The commit has happened. What is left of the upload, the purging takes up.
      await this.uploads.drop(session, { thoroughly: false }).catch(() => {})
    })
  }

  /** Makes objects of uploads; where one is there already, it stays. */
  async #place(checked: readonly CheckedUpload[], uploads: readonly FinishedUpload[], options: AbortOptions): Promise<void> {
    await inParallel(checked, AT_ONCE, async ({ session, chunks }, index) => {
      const path = uploads[index]?.path
      const pieces = session.record.pieces.map(({ name, size }) => ({ path: keys.piece(session.id, name), size }))
      if (path === undefined) return
      // To look takes longer than to copy the same bytes once more.
      const quick = pieces.length <= 1 && this.#places.isConstant(path)
      if (!quick && (await this.bucket.head(path, options)) !== undefined) return
      session.assert()
      const etag = await this.bucket.compose(pieces, path, options)
      if (chunks !== undefined) await this.#chunks.put(path, { etag, size: pieces.reduce((sum, { size }) => sum + size, 0) }, chunks)
    })
  }

  #groupsOf(expect: readonly Expectation[], changes: Batch['changes'] = []): (string | undefined)[] {
    return [
      ...expect.map((expectation) => this.#places.groupOf('path' in expectation ? expectation.path : expectation.directory)),
      ...changes.map((change) => this.#places.groupOf('put' in change ? change.put : change.delete)),
    ]
  }

  async #check(expectation: Expectation): Promise<void> {
    if ('path' in expectation) {
      const { path, data } = expectation
      const found = await this.get(path)
      if (data === undefined ? found !== undefined : found === undefined || Buffer.compare(found, data) !== 0) throw new ConflictError(path)
      return
    }
    const { directory, names } = expectation
    const found = await this.list(directory, { limit: names.length + 1 })
    if (found.length !== names.length || found.some((name, index) => name !== names[index])) throw new ConflictError(directory)
  }
}
