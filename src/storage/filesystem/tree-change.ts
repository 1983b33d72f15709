import { randomUUID } from 'node:crypto'
import { access, constants, lstat, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StorageFailedError } from '../errors.ts'
import { readFile, tolerating, unlessThere, withEach, type Disk } from './disk.ts'
import { chunkFile, type TreePaths } from './tree-paths.ts'

/** Others may remove a directory that has just been made, before anything is in it: so often it is made again. */
const ATTEMPTS = 10

const NONE: ReadonlySet<string> = new Set()

/** What one commit changes in the tree: each step shows all of itself or nothing, and can be repeated. */
export class TreeChange {
  readonly #disk: Disk
  readonly #paths: TreePaths
  /** Directories in which names have changed. */
  readonly #changed = new Set<string>()
  /** Trees that are out of the tree. */
  readonly #removed: string[] = []

  constructor(disk: Disk, paths: TreePaths) {
    this.#disk = disk
    this.#paths = paths
  }

  /** Moves a whole and durable file to where it is to be seen, in place of the object that is there. */
  async move(file: string, to: string): Promise<void> {
    const target = this.#paths.file(to)
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#disk.rename(file, target)
        break
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : undefined
        if (attempt === ATTEMPTS) throw error
        if (code === 'ENOENT') await this.makeDirectories(dirname(target))
        else if (code === 'EISDIR') await this.#removeEmpty(target)
        else throw error
      }
    }
    this.touch(dirname(target))
  }

  /** Whether these bytes are the object already; its name may still have to be made durable. */
  async is(path: string, data: Uint8Array): Promise<boolean> {
    const target = this.#paths.file(path)
    const found = await lstat(target).catch(unlessThere)
    if (found?.isFile() !== true || found.size !== data.byteLength) return false
    if ((await readFile(target))?.equals(data) !== true) return false
    this.touch(dirname(target))
    return true
  }

  /** Makes the directory that an object is to be in. @throws what keeps it from being there: better now than in the middle */
  async makeRoom(path: string): Promise<void> {
    const directory = dirname(this.#paths.file(path))
    try {
      await access(directory, constants.W_OK)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') await this.makeDirectories(directory)
      // An object that may be on its way out.
      else if (code !== 'ENOTDIR') throw error
    }
  }

  /** @throws what keeps an object that is there from being taken away */
  async mayRemove(path: string): Promise<void> {
    await access(dirname(this.#paths.file(path)), constants.W_OK).catch(unlessThere)
  }

  /** Takes away the object at a path and all below it, but for objects in `kept`; a tree in one step where nothing in it stays. */
  async remove(path: string, kept: ReadonlySet<string> = NONE): Promise<void> {
    const target = this.#paths.file(path)
    const found = await lstat(target).catch(unlessThere)
    if (found === undefined) return
    if (found.isDirectory()) await this.#removeDirectory(path, kept)
    else if (!kept.has(path)) await this.#removeObject(target)
    await this.prune(dirname(target))
  }

  /** Makes a directory and those above it. */
  async makeDirectories(directory: string): Promise<void> {
    try {
      await this.#disk.makeDirectory(directory)
      this.touch(dirname(directory))
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if (code === 'EEXIST') return
      if (code !== 'ENOENT' || directory === this.#paths.root) throw error
      await this.makeDirectories(dirname(directory))
      await this.#disk.makeDirectory(directory).catch(tolerating('EEXIST'))
      this.touch(dirname(directory))
    }
  }

  /** Makes our own directories, durably. */
  async makeOwn(): Promise<void> {
    for (const directory of [this.#paths.temporary, this.#paths.sessions]) await this.makeDirectories(directory)
    await this.sync()
  }

  /** Does something in our own directories, which are made again where they are gone: others may empty the whole root. */
  async inOwn<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (error) {
      tolerating('ENOENT')(error as NodeJS.ErrnoException)
      await this.makeOwn()
      return await act()
    }
  }

  /** Removes a directory in which nothing is left, and those above it. */
  async prune(directory: string): Promise<void> {
    this.touch(directory)
    for (let empty = directory; empty.startsWith(`${this.#paths.root}/`); empty = dirname(empty)) {
      try {
        await this.#disk.removeDirectory(empty)
      } catch (error) {
        tolerating('ENOTEMPTY', 'EEXIST', 'ENOENT', 'EBUSY')(error as NodeJS.ErrnoException)
        return
      }
      this.touch(dirname(empty))
    }
  }

  /** Names in the directory have changed. */
  touch(directory: string): void {
    this.#changed.add(directory)
  }

  /** Makes durable what was done, in any order: until it is, the journal has all of it. */
  async sync(): Promise<void> {
    await withEach([...this.#changed], (directory) => this.#disk.sync(directory).catch(unlessThere))
  }

  /** Gives back the room that was taken by what has gone. */
  async clear(): Promise<void> {
    for (const tree of this.#removed) await this.#disk.removeAll(tree)
  }

  async #removeObject(file: string): Promise<void> {
    await this.#disk.unlink(file).catch(tolerating('ENOENT'))
    await this.#disk.unlink(chunkFile(file)).catch(tolerating('ENOENT'))
  }

  async #moveAway(directory: string): Promise<void> {
    const away = join(this.#paths.temporary, randomUUID())
    await this.inOwn(() => this.#disk.rename(directory, away)).catch(tolerating('ENOENT'))
    this.#removed.push(away)
  }

  async #removeDirectory(path: string, kept: ReadonlySet<string>): Promise<void> {
    const directory = this.#paths.directory(path)
    const inOneStep = !this.#paths.places.mayBeBelow(path) && ![...kept].some((each) => each.startsWith(`${path}/`))
    if (inOneStep) return this.#moveAway(directory)
    for (const entry of (await readdir(directory, { withFileTypes: true }).catch(unlessThere)) ?? []) {
      const child = `${path}/${entry.name}`
      if (this.#paths.isReserved(child)) continue
      if (entry.isDirectory()) await this.#removeDirectory(child, kept)
      else if (!kept.has(child)) await this.#removeObject(join(directory, entry.name))
    }
    this.touch(directory)
    this.touch(dirname(directory))
    await this.#disk.removeDirectory(directory).catch(tolerating('ENOTEMPTY', 'EEXIST', 'ENOENT'))
  }

  /** @throws StorageFailedError when there are objects below it */
  async #removeEmpty(directory: string): Promise<void> {
    for (const entry of (await readdir(directory, { withFileTypes: true }).catch(unlessThere)) ?? []) {
      if (!entry.isDirectory()) throw new StorageFailedError(`no object can be at ${directory}: others are below it`)
      await this.#removeEmpty(join(directory, entry.name))
    }
    await this.#disk.removeDirectory(directory).catch(tolerating('ENOENT'))
  }
}
