import { randomUUID } from 'node:crypto'
import { lstat } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { StorageFailedError } from '../errors.ts'
import { readFile, tolerating, unlessThere, withEach, type Disk } from './disk.ts'
import { TreeChange } from './tree-change.ts'
import type { TreePaths } from './tree-paths.ts'

/** One step of a commit, which can be done again. */
export type Step =
  /** A file that is whole and durable becomes the object at `to`. */
  | { readonly move: string; readonly to: string }
  | { readonly delete: string }

/** What can't be done the next time either: an object where others are below, or below another, or on another medium. */
const HOPELESS: ReadonlySet<unknown> = new Set(['ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'EEXIST', 'ENAMETOOLONG', 'EXDEV'])

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

  /** Does the steps, and makes them durable. With the lock. From `noted` on it is for whoever comes next to finish them. */
  async run(steps: readonly Step[], change: TreeChange, noted: () => void): Promise<void> {
    await withEach(steps, (step) => ('delete' in step ? change.mayRemove(step.delete) : change.makeRoom(step.to)))
    if (steps.length > 1) await this.#record(steps, change, noted)
    // One step is all or nothing by itself; but the note of the commit before must not come back and be done after it.
    else change.touch(dirname(this.#paths.journal))
    await this.#finish(steps, change)
  }

  /** Finishes what another began. With the lock. @throws StorageFailedError */
  async replay(): Promise<void> {
    const text = await this.#read()
    if (text === undefined) return
    const change = new TreeChange(this.#disk, this.#paths)
    await this.#finish(stepsOf(text, this.#paths.journal), change)
    await change.clear()
  }

  /** Whether a commit that is to be finished has something to do with it: a name that nothing else has. */
  async names(name: string): Promise<boolean> {
    return (await this.#read())?.includes(name) === true
  }

  async #read(): Promise<string | undefined> {
    return (await readFile(this.#paths.journal))?.toString()
  }

  async #record(steps: readonly Step[], change: TreeChange, noted: () => void): Promise<void> {
    const file = join(this.#paths.temporary, randomUUID())
    const portable = steps.map((step) => ('move' in step ? { ...step, move: relative(this.#paths.root, step.move) } : step))
    try {
      await change.inOwn(() => this.#disk.writeNew(file, Buffer.from(JSON.stringify(portable)), { durable: true }))
      await this.#disk.rename(file, this.#paths.journal)
    } catch (error) {
      await this.#disk.unlink(file).catch(() => {})
      throw error
    }
    noted()
    await this.#disk.sync(dirname(this.#paths.journal))
  }

  async #finish(steps: readonly Step[], change: TreeChange): Promise<void> {
    try {
      for (const [index, step] of steps.entries()) {
        // What is put there later may have been already, by whoever was cut off then.
        if ('delete' in step) await change.remove(step.delete, putBelow(step.delete, steps.slice(index + 1)))
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

/** Objects that are put at a path or below it. */
function putBelow(path: string, steps: readonly Step[]): ReadonlySet<string> {
  const puts = steps.flatMap((step) => ('to' in step ? [step.to] : []))
  return new Set(puts.filter((to) => to === path || to.startsWith(`${path}/`)))
}

function stepsOf(text: string, file: string): Step[] {
  try {
    const steps: unknown = JSON.parse(text)
    if (Array.isArray(steps) && steps.every(isStep)) return steps
  } catch {}
  throw new StorageFailedError(`${file} is not what this version of Disco notes of a commit; start the one that wrote it once more, or move it away and push the last image again`)
}

function isStep(step: unknown): step is Step {
  if (typeof step !== 'object' || step === null) return false
  const isText = (name: string): boolean => typeof Reflect.get(step, name) === 'string'
  return isText('delete') !== (isText('move') && isText('to'))
}
