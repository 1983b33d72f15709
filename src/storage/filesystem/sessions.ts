import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UploadBusyError, UploadUnknownError } from '../errors.ts'
import { FileLock } from '../file-lock.ts'
import { sortedNames } from '../name-order.ts'
import { readFile, tolerating, unlessThere, type Disk } from './disk.ts'
import { TreeChange } from './tree-change.ts'
import type { TreePaths } from './tree-paths.ts'

/** An upload of ours. */
export interface Session {
  readonly id: string
  readonly repository: string
  /** The file with its bytes. */
  readonly data: string
}

/** Leftovers are nobody's any more when they are so old, in milliseconds. */
const LEFT = 3_600_000
/** Directories are made before what is in them, and in between others may tidy them away. */
const ATTEMPTS = 10

/**
 * Which uploads there are. Bytes and `startedat` lie where Distribution has its own, so that its purging sees them; the
 * repository of each, which Distribution has in its URLs alone, and its lock lie in a directory of ours.
 */
export class Sessions {
  readonly #disk: Disk
  readonly #paths: TreePaths

  constructor(disk: Disk, paths: TreePaths) {
    this.#disk = disk
    this.#paths = paths
  }

  /** @throws Error when the id is taken */
  async create(id: string, repository: string): Promise<void> {
    const session = this.#paths.session(id)
    const change = new TreeChange(this.#disk, this.#paths)
    try {
      await change.inOwn(() => this.#disk.makeDirectory(session))
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw new Error(`upload ${id} exists`, { cause })
      throw cause
    }
    try {
      await this.#disk.writeNew(join(session, 'repository'), Buffer.from(repository), { durable: true })
      await this.#makePlace(change, this.#paths.upload(repository, id))
      for (const directory of [session, dirname(session)]) await this.#disk.sync(directory)
      await change.sync()
    } catch (error) {
      // On a full medium whoever tries again and again must not make it fuller.
      await this.remove({ id, repository }).catch(() => {})
      throw error
    }
  }

  /** Undefined where it was not begun, or not to its end, or has gone. */
  async find(id: string): Promise<Session | undefined> {
    const repository = (await readFile(join(this.#paths.session(id), 'repository')))?.toString()
    if (repository === undefined || repository === '') return undefined
    return { id, repository, data: join(this.#paths.upload(repository, id), 'data') }
  }

  /** In their order. */
  async ids(): Promise<string[]> {
    return sortedNames(((await readdir(this.#paths.sessions).catch(unlessThere)) ?? []).map(decodeURIComponent))
  }

  /** The right to work on it, until it is closed. @throws UploadBusyError, UploadUnknownError */
  async take({ id }: Pick<Session, 'id'>): Promise<FileLock> {
    const lock = await this.#open(id)
    if (lock.tryTake()) return lock
    lock.close()
    throw new UploadBusyError(id)
  }

  /** Forgets an upload whose bytes have become an object, or shall be dropped. For who has taken it. */
  async remove({ id, repository }: Omit<Session, 'data'>): Promise<void> {
    const change = new TreeChange(this.#disk, this.#paths)
    const place = this.#paths.upload(repository, id)
    await this.#disk.removeAll(place)
    await change.prune(dirname(place))
    await change.sync()
    await this.#disk.removeAll(this.#paths.session(id))
    await this.#disk.sync(this.#paths.sessions)
  }

  /** Removes what a process that died in the middle of something has left. */
  async sweep(): Promise<void> {
    const before = Date.now() - LEFT
    for (const id of await this.ids()) {
      const found = await stat(this.#paths.session(id)).catch(unlessThere)
      if (found === undefined || found.mtimeMs > before) continue
      const session = await this.find(id)
      if (session === undefined) await this.#disk.removeAll(this.#paths.session(id))
      else if ((await stat(session.data).catch(unlessThere)) === undefined) await this.remove(session)
    }
    for (const name of (await readdir(this.#paths.temporary).catch(unlessThere)) ?? []) {
      const file = join(this.#paths.temporary, name)
      const found = await stat(file).catch(unlessThere)
      if (found !== undefined && found.mtimeMs < before) await this.#disk.removeAll(file)
    }
  }

  async #makePlace(change: TreeChange, place: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await change.makeDirectories(place)
        await this.#disk.writeNew(join(place, 'startedat'), Buffer.from(new Date().toISOString()), { durable: false })
        await (await this.#disk.open(join(place, 'data'), 'wx+')).close()
        change.touch(place)
        return
      } catch (error) {
        if (attempt === ATTEMPTS) throw error
        tolerating('ENOENT')(error as NodeJS.ErrnoException)
      }
    }
  }

  async #open(id: string): Promise<FileLock> {
    try {
      return new FileLock(join(this.#paths.session(id), 'lock'))
    } catch (cause) {
      if ((await stat(this.#paths.session(id)).catch(unlessThere)) === undefined) throw new UploadUnknownError(id)
      throw cause
    }
  }
}
