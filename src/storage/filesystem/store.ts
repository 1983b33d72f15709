import { randomUUID } from 'node:crypto'
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { ConflictError } from '../errors.ts'
import { HashPool } from '../files/hash-pool.ts'
import type {
  AbortOptions, Batch, Change, ChunkHashes, Expectation, FinishedUpload, ListOptions, ObjectStat, ObjectStore, ReadOptions,
} from '../object-store.ts'
import { ChunkFiles } from './chunk-files.ts'
import { CommitLock } from './commit-lock.ts'
import { Disk, onDisk, tolerating, unlessThere } from './disk.ts'
import { FilesystemReader } from './reader.ts'
import { Sessions } from './sessions.ts'
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

/** Files written and made durable at a time. */
const AT_ONCE = 8

/**
 * Objects as the files of a plain directory, which other programs may serve and change as well. There are no
 * transactions: what a commit needs is written aside and made durable; then its changes are done in their order, under a
 * lock that all processes share; then their names are made durable, in the same order. So a commit that is cut off has
 * done its first changes and not its last ones. An object can't be where a directory of others is.
 */
export class FilesystemStore implements ObjectStore, ChunkHashes {
  readonly uploads: FilesystemUploads
  readonly #disk: Disk
  readonly #reader: FilesystemReader
  readonly #hashes: HashPool = new HashPool()
  readonly #chunks: ChunkFiles
  readonly #lock: CommitLock
  readonly #clearing = new Set<Promise<void>>()

  private constructor(reader: FilesystemReader, sessions: Sessions, disk: Disk) {
    this.#disk = disk
    this.#reader = reader
    this.#chunks = new ChunkFiles(disk, this.#paths, this.#hashes)
    this.#lock = new CommitLock(this.#paths.lock)
    this.uploads = new FilesystemUploads({ disk, sessions, streams: reader.streams, hashes: this.#hashes })
  }

  /** Opens a directory and makes it where there is none. Several processes may have it open. @throws StorageFailedError */
  static async open(root: string, { places, readonly = false, disk = new Disk() }: FilesystemOptions): Promise<FilesystemStore> {
    const reader = new FilesystemReader(root, places)
    const { paths } = reader
    const sessions = new Sessions(disk, paths)
    await onDisk(paths.root, async () => {
      const change = new TreeChange(disk, paths)
      try {
        for (const directory of [paths.temporary, paths.sessions]) await change.makeDirectories(directory)
        await change.sync()
        if (!readonly) await sessions.sweep()
      } catch (error) {
        if (!readonly) throw error
        // A medium that can't be written can still be read.
        tolerating('EROFS', 'EACCES', 'EPERM')(error as NodeJS.ErrnoException)
      }
    })
    return new FilesystemStore(reader, sessions, disk)
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
    const staged = new Map<Change, string>()
    try {
      const failed = settled.find((outcome) => outcome.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      options.signal?.throwIfAborted()
      await onDisk('a commit', () => this.#lock.hold(this.#stage(changes, staged), async () => {
        await this.#check(expect)
        for (const [index, upload] of checked.entries()) await this.#finish(change, upload, uploads[index])
        await this.#apply(change, changes, staged)
      }))
      await onDisk('a commit', () => change.sync())
      for (const [index, upload] of checked.entries()) await this.#settle(upload, uploads[index])
    } finally {
      for (const { lock } of checked) lock.close()
      this.#clear(change, staged)
    }
  }

  get #paths(): TreePaths {
    return this.#reader.paths
  }

  /** Writes aside what is to be put, but for what is there already. */
  async #stage(changes: readonly Change[], staged: Map<Change, string>): Promise<void> {
    const puts = changes.filter((change) => 'put' in change)
    const looking = new TreeChange(this.#disk, this.#paths)
    for (let at = 0; at < puts.length; at += AT_ONCE) {
      await Promise.all(puts.slice(at, at + AT_ONCE).map(async (put) => {
        if (!(await looking.is(put.put, put.data))) await this.#write(put, staged)
      }))
    }
  }

  async #write(change: Extract<Change, { readonly put: string }>, staged: Map<Change, string>): Promise<string> {
    const file = join(this.#paths.temporary, randomUUID())
    staged.set(change, file)
    await this.#disk.writeNew(file, change.data, { durable: true })
    return file
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

  async #finish(change: TreeChange, { session }: CheckedUpload, upload: FinishedUpload | undefined): Promise<void> {
    if (upload === undefined || (await this.stat(upload.path)) !== undefined) return
    await change.move(session.data, upload.path)
  }

  async #apply(change: TreeChange, changes: readonly Change[], staged: Map<Change, string>): Promise<void> {
    const last = new Map(changes.map((each) => ['put' in each ? each.put : each.delete, each]))
    for (const each of changes) {
      if ('put' in each) {
        const file = staged.get(each)
        if (file === undefined && (await change.is(each.put, each.data))) continue
        await change.move(file ?? (await this.#write(each, staged)), each.put)
        staged.delete(each)
      } else if (!(await this.#isReplaced(each.delete, last))) {
        await change.remove(each.delete)
      }
    }
  }

  /** An object that goes and comes back in one commit is replaced in one step instead. */
  async #isReplaced(path: string, last: ReadonlyMap<string, Change>): Promise<boolean> {
    const final = last.get(path)
    return final !== undefined && 'put' in final && (await lstat(this.#paths.file(path)).catch(unlessThere))?.isFile() === true
  }

  async #settle({ session, chunks }: CheckedUpload, upload: FinishedUpload | undefined): Promise<void> {
    if (chunks !== undefined && upload !== undefined) await this.#chunks.put(upload.path, chunks)
    await this.uploads.drop(session)
  }

  /** In the background: what has gone is seen no more. What is left of it, the next open takes up. */
  #clear(change: TreeChange, staged: ReadonlyMap<Change, string>): void {
    const clearing = this.#remove(change, [...staged.values()]).catch(() => {})
    this.#clearing.add(clearing)
    void clearing.finally(() => this.#clearing.delete(clearing))
  }

  async #remove(change: TreeChange, files: readonly string[]): Promise<void> {
    for (const file of files) await this.#disk.unlink(file).catch(tolerating('ENOENT'))
    await change.clear()
  }
}
