import { lstat, readFile } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { dirname, join, relative, resolve } from 'node:path'
import { StorageFailedError } from '../errors.ts'
import { tolerating, unlessThere, type Disk } from './disk.ts'
import { TreeChange } from './tree-change.ts'
import type { TreePaths } from './tree-paths.ts'

/** One step of a commit, which can be done again. */
export type Step =
  /** A file that is whole and durable becomes the object at `to`. */
  | { readonly move: string; readonly to: string }
  | { readonly delete: string }

/** What can't be done the next time either: an object where others are below, or below another. */
const HOPELESS: ReadonlySet<unknown> = new Set(['ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'EEXIST', 'ENAMETOOLONG'])

/**
 * What the commit that has the lock is about to do. Whoever has the lock and finds it finishes it: its process has died
 * in the middle. So a commit that is cut off is found done or not begun.
 */
export class Journal {
  readonly #disk: Disk
  readonly #paths: TreePaths

  constructor(disk: Disk, paths: TreePaths) {
    this.#disk = disk
    this.#paths = paths
  }

  /** Does the steps, and makes them durable. With the lock. */
  async run(steps: readonly Step[], change: TreeChange): Promise<void> {
    // One step is all or nothing by itself.
    if (steps.length > 1) await this.#record(steps)
    await this.#finish(steps, change)
  }

  /** Finishes what another began. With the lock. */
  async replay(): Promise<void> {
    const text = await readFile(this.#paths.journal, 'utf8').catch(unlessThere)
    if (text === undefined) return
    const change = new TreeChange(this.#disk, this.#paths)
    await this.#finish(JSON.parse(text) as Step[], change)
    await change.clear()
  }

  async #record(steps: readonly Step[]): Promise<void> {
    const file = join(this.#paths.temporary, randomUUID())
    const portable = steps.map((step) => ('move' in step ? { ...step, move: relative(this.#paths.root, step.move) } : step))
    await this.#disk.writeNew(file, Buffer.from(JSON.stringify(portable)), { durable: true })
    await this.#disk.rename(file, this.#paths.journal)
    await this.#disk.sync(dirname(this.#paths.journal))
  }

  async #finish(steps: readonly Step[], change: TreeChange): Promise<void> {
    try {
      for (const step of steps) {
        if ('delete' in step) await change.remove(step.delete)
        else await this.#move(step.move, step.to, change)
      }
      await change.sync()
    } catch (error) {
      const hopeless = error instanceof StorageFailedError || (error instanceof Error && 'code' in error && HOPELESS.has(error.code))
      if (hopeless) await this.#forget()
      throw error
    }
    await this.#forget()
  }

  async #move(file: string, to: string, change: TreeChange): Promise<void> {
    const from = resolve(this.#paths.root, file)
    // Done already, by whoever was cut off later.
    if ((await lstat(from).catch(unlessThere)) !== undefined) await change.move(from, to)
  }

  async #forget(): Promise<void> {
    await this.#disk.unlink(this.#paths.journal).catch(tolerating('ENOENT'))
  }
}
