import { opendir, readdir, stat } from 'node:fs/promises'
import type { Dirent } from 'node:fs'
import { join } from 'node:path'
import { indexAfter, sortedNames } from '../name-order.ts'
import type { ListOptions } from '../object-store.ts'
import { unlessThere } from './disk.ts'
import type { TreePaths } from './tree-paths.ts'

interface Known {
  /** Of the directory, when it was read, in nanoseconds. */
  readonly modifiedAt: bigint
  readonly names: readonly string[]
}

/** Names of a directory that is worth remembering: reading them takes longer than a page should. */
const MANY = 500
const REMEMBERED = 8
/** … and all of theirs together, but for one directory that has more: 40 bytes each. */
const REMEMBERED_NAMES = 200_000
/** A directory that was changed so shortly before it was read may have changed again without its time telling, in nanoseconds. */
const TICK = 100_000_000n
/** Children looked into at a time. */
const AT_ONCE = 16

/** Lists directories by pages. Sorted names of large ones are remembered for as long as the directory has not changed. */
export class Listing {
  readonly #paths: TreePaths
  readonly #known = new Map<string, Known>()

  constructor(paths: TreePaths) {
    this.#paths = paths
  }

  async page(directory: string, { after, limit = 1000, signal }: ListOptions): Promise<string[]> {
    const names = await this.#names(this.#paths.directory(directory))
    const page: string[] = []
    let at = after === undefined ? 0 : indexAfter(names, after)
    while (at < names.length && page.length < limit) {
      signal?.throwIfAborted()
      const group = names.slice(at, at + Math.min(AT_ONCE, limit - page.length))
      const prefix = directory === '' ? '' : `${directory}/`
      const there = await Promise.all(group.map((name) => this.#holdsObject(`${prefix}${name}`)))
      page.push(...group.filter((_, index) => there[index]))
      at += group.length
    }
    return page
  }

  async #names(directory: string): Promise<readonly string[]> {
    const before = await stat(directory, { bigint: true }).catch(unlessThere)
    if (before === undefined) return []
    const known = this.#known.get(directory)
    if (known?.modifiedAt === before.mtimeNs) return known.names
    this.#known.delete(directory)
    const names = sortedNames((await readdir(directory).catch(unlessThere)) ?? [])
    const settled = BigInt(Date.now()) * 1_000_000n - before.mtimeNs > TICK
    if (names.length >= MANY && settled) this.#remember(directory, { modifiedAt: before.mtimeNs, names })
    return names
  }

  #remember(directory: string, known: Known): void {
    this.#known.set(directory, known)
    let total = 0
    for (const { names } of this.#known.values()) total += names.length
    for (const [oldest, { names }] of this.#known) {
      if (oldest === directory || (this.#known.size <= REMEMBERED && total <= REMEMBERED_NAMES)) return
      this.#known.delete(oldest)
      total -= names.length
    }
  }

  /** Whether there is an object at the path or below it: directories stay when Distribution deletes what was in them. */
  async #holdsObject(path: string): Promise<boolean> {
    if (this.#paths.isReserved(path)) return false
    const file = join(this.#paths.root, path)
    const entries = await opendir(file, { bufferSize: 8 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOTDIR') return 'object'
      return unlessThere(error)
    })
    if (entries === undefined) return false
    // Or what is no file either, which nobody could read.
    if (entries === 'object') return (await stat(file).catch(unlessThere))?.isFile() === true
    const directories: string[] = []
    for await (const entry of entries) {
      const child = `${path}/${entry.name}`
      if (this.#isObject(entry, child)) return true
      if (!entry.isFile()) directories.push(child)
    }
    for (const child of directories) if (await this.#holdsObject(child)) return true
    return false
  }

  #isObject(entry: Dirent, path: string): boolean {
    return entry.isFile() && !this.#paths.isReserved(path)
  }
}
