import { lstat } from 'node:fs/promises'
import { ConflictError, UploadUnknownError } from '../errors.ts'
import { HashPool } from '../files/hash-pool.ts'
import { Reserve } from '../files/reserve.ts'
import { givesRoom } from '../gives-room.ts'
import type {
  AbortOptions, Batch, ChunkHashes, Expectation, FinishedUpload, ListOptions, ObjectStat, ObjectStore, ReadOptions,
} from '../object-store.ts'
import { ChunkFiles } from './chunk-files.ts'
import { CommitLock } from './commit-lock.ts'
import { Disk, onDisk, tolerating, unlessThere } from './disk.ts'
import { Journal, type Step } from './journal.ts'
import { FilesystemReader } from './reader.ts'
import { Sessions } from './sessions.ts'
import { Staging } from './staging.ts'
import { TreeChange } from './tree-change.ts'
import type { TreePaths, UploadPlaces } from './tree-paths.ts'
import { FilesystemUploads, type CheckedUpload } from './uploads.ts'

export interface FilesystemOptions {
  readonly places: UploadPlaces
  /** Nothing is tidied up when it is opened, and it may be on a medium that can't be written. @default false */
  readonly readonly?: boolean | undefined
  /** @default the real one */
  readonly disk?: Disk | undefined
}

/**
 * Objects as the files of a plain directory, which other programs may serve and change as well. There are no
 * transactions: what a commit needs is written aside and made durable; then, under a lock that all processes share, it is
 * noted what is going to be done, and done in its order. Readers may see its first changes before its last ones; one that
 * is cut off is finished by whoever commits or opens the store next. An object can't be where a directory of others is.
 */
export class FilesystemStore implements ObjectStore, ChunkHashes {
  readonly uploads: FilesystemUploads
  readonly #disk: Disk
  readonly #reader: FilesystemReader
  readonly #hashes: HashPool = new HashPool()
  readonly #chunks: ChunkFiles
  readonly #lock: CommitLock
  readonly #journal: Journal
  readonly #reserve: Reserve
  readonly #clearing = new Set<Promise<void>>()

  private constructor(reader: FilesystemReader, sessions: Sessions, disk: Disk) {
    this.#disk = disk
    this.#reader = reader
    this.#chunks = new ChunkFiles(disk, this.#paths, this.#hashes)
    this.#lock = new CommitLock(this.#paths.lock, () => new TreeChange(disk, this.#paths).makeOwn())
    this.#journal = new Journal(disk, this.#paths)
    this.#reserve = new Reserve(this.#paths.reserve)
    this.uploads = new FilesystemUploads({ disk, sessions, streams: reader.streams, hashes: this.#hashes, finish: (id) => this.#finish(id) })
  }

  /** Opens a directory and makes it where there is none. Several processes may have it open. @throws StorageFailedError */
  static async open(root: string, { places, readonly = false, disk = new Disk() }: FilesystemOptions): Promise<FilesystemStore> {
    const reader = new FilesystemReader(root, places)
    const { paths } = reader
    const sessions = new Sessions(disk, paths)
    const store = new FilesystemStore(reader, sessions, disk)
    try {
      await onDisk(paths.root, () => store.#begin(sessions, readonly))
      return store
    } catch (error) {
      await store.close()
      throw error
    }
  }

  /** Uploads and reads must have come to their end before. */
  async close(): Promise<void> {
    await Promise.all(this.#clearing)
    await this.#lock.close()
    await this.#hashes.close()
  }

  stat(path: string, options?: AbortOptions): Promise<ObjectStat | undefined> {
    return this.#reader.stat(path, options)
  }

  get(path: string, options?: AbortOptions): Promise<Uint8Array | undefined> {
    return this.#reader.get(path, options)
  }

  read(path: string, options?: ReadOptions): AsyncIterable<Uint8Array> {
    return this.#reader.read(path, options)
  }

  list(directory: string, options?: ListOptions): Promise<string[]> {
    return this.#reader.list(directory, options)
  }

  chunkHashes(path: string, options?: AbortOptions): Promise<Uint8Array> {
    return this.#chunks.get(path, options)
  }

  async commit({ expect = [], uploads = [], changes = [] }: Batch, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    for (const { path } of uploads) this.#paths.file(path)
    for (const change of changes) this.#paths.file('put' in change ? change.put : change.delete)
    const settled = await Promise.allSettled(uploads.map(({ id, digest }) => this.uploads.check(id, digest, options)))
    const checked = settled.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value)
    const change = new TreeChange(this.#disk, this.#paths)
    const staging = new Staging(this.#disk, this.#paths)
    const apply = (): Promise<void> => onDisk('a commit', () => this.#lock.hold(staging.stage(changes), async () => {
      await this.#journal.replay()
      options.signal?.throwIfAborted()
      await this.#check(expect)
      const steps = [...await this.#moves(checked, uploads), ...await staging.steps(changes, change)]
      await this.#journal.run(steps, change, () => staging.handOver())
    }))
    const isFreeing = givesRoom({ uploads, changes })
    try {
      const failed = settled.find((outcome) => outcome.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      options.signal?.throwIfAborted()
      await (isFreeing ? this.#reserve.lend(apply) : apply())
      for (const [index, upload] of checked.entries()) await this.#settle(upload, uploads[index])
    } finally {
      for (const { lock } of checked) lock.close()
      this.#clear(async () => {
        await staging.clear()
        await change.clear()
        if (isFreeing) await this.#reserve.hold()
      })
    }
  }

  async #begin(sessions: Sessions, readonly: boolean): Promise<void> {
    const change = new TreeChange(this.#disk, this.#paths)
    try {
      await change.makeOwn()
    } catch (error) {
      if (!readonly) throw error
      // A medium that can't be written can still be read.
      tolerating('EROFS', 'EACCES', 'EPERM')(error as NodeJS.ErrnoException)
    }
    if (readonly) return
    await this.#replay()
    await sessions.sweep()
    await this.#reserve.hold()
  }

  #replay(): Promise<void> {
    return this.#lock.hold(Promise.resolve(), () => this.#journal.replay())
  }

  /** Of a commit that failed in the middle: while it has not been finished, nobody may touch what it is about to move. */
  async #finish(upload: string): Promise<void> {
    if (await this.#journal.names(upload)) await this.#replay()
  }

  get #paths(): TreePaths {
    return this.#reader.paths
  }

  async #check(expectations: readonly Expectation[]): Promise<void> {
    for (const expectation of expectations) {
      if ('path' in expectation) {
        const { path, data } = expectation
        const found = await this.get(path)
        if (data === undefined ? found !== undefined : found === undefined || Buffer.compare(found, data) !== 0) throw new ConflictError(path)
      } else {
        const { directory, names } = expectation
        const found = await this.list(directory, { limit: names.length + 1 })
        if (found.length !== names.length || found.some((name, index) => name !== names[index])) throw new ConflictError(directory)
      }
    }
  }

  /** Uploads that become objects; where one is there already, it stays. */
  async #moves(checked: readonly CheckedUpload[], uploads: readonly FinishedUpload[]): Promise<Step[]> {
    const steps = new Map<string, Step>()
    for (const [index, { session }] of checked.entries()) {
      const to = uploads[index]?.path
      if (to === undefined || steps.has(to) || (await this.stat(to)) !== undefined) continue
      if ((await lstat(session.data).catch(unlessThere)) === undefined) throw new UploadUnknownError(session.id)
      steps.set(to, { move: session.data, to })
    }
    return [...steps.values()]
  }

  async #settle({ session, chunks }: CheckedUpload, upload: FinishedUpload | undefined): Promise<void> {
    try {
      if (chunks !== undefined && upload !== undefined) await this.#chunks.put(upload.path, chunks)
      await this.uploads.drop(session)
    } catch {
      // The commit has happened. What is left of the upload, a later open or the purging takes up.
    }
  }

  /** In the background: what has gone is seen no more. What is left of it, the next open takes up. */
  #clear(work: () => Promise<void>): void {
    const clearing = work().catch(() => {})
    this.#clearing.add(clearing)
    void clearing.finally(() => this.#clearing.delete(clearing))
  }
}
