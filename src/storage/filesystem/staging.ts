import { randomUUID } from 'node:crypto'
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Change } from '../object-store.ts'
import { tolerating, unlessThere, withEach, type Disk } from './disk.ts'
import type { Step } from './journal.ts'
import { TreeChange } from './tree-change.ts'
import type { TreePaths } from './tree-paths.ts'

type Put = Extract<Change, { readonly put: string }>

/** What one commit puts, written aside before anybody has to wait for it; what is there already is not written again. */
export class Staging {
  readonly #disk: Disk
  readonly #paths: TreePaths
  readonly #files = new Map<Change, string>()
  #handedOver = false

  constructor(disk: Disk, paths: TreePaths) {
    this.#disk = disk
    this.#paths = paths
  }

  /** Before the lock is taken. */
  async stage(changes: readonly Change[]): Promise<void> {
    const looking = new TreeChange(this.#disk, this.#paths)
    const puts = changes.filter((change) => 'put' in change)
    const isTouched = touchedIn(changes)
    await withEach(puts, async (put) => {
      if (isTouched(put.put) || !(await looking.is(put.put, put.data))) await this.#write(put, looking)
    })
  }

  /** What is to be done for the changes, with the lock. */
  async steps(changes: readonly Change[], change: TreeChange): Promise<Step[]> {
    const steps: Step[] = []
    for (const each of changes) {
      if ('delete' in each) {
        steps.push(each)
      } else {
        const file = this.#files.get(each)
        if (file === undefined && (await change.is(each.put, each.data))) continue
        // To move what was taken away meanwhile would look as if it had been done already.
        const isThere = file !== undefined && (await lstat(file).catch(unlessThere)) !== undefined
        steps.push({ move: isThere ? file : await this.#write(each, change), to: each.put })
      }
    }
    return steps
  }

  /** From now on the files are the journal's. */
  handOver(): void {
    this.#handedOver = true
  }

  /** Removes what was not handed over. */
  async clear(): Promise<void> {
    if (this.#handedOver) return
    for (const file of this.#files.values()) await this.#disk.unlink(file).catch(tolerating('ENOENT'))
  }

  async #write(put: Put, change: TreeChange): Promise<string> {
    const file = join(this.#paths.temporary, randomUUID())
    this.#files.set(put, file)
    await change.inOwn(() => this.#disk.writeNew(file, put.data, { durable: true }))
    return file
  }
}

/** Whether something else is done at a path in the same commit: then what is there now says nothing. */
function touchedIn(changes: readonly Change[]): (path: string) => boolean {
  const deletes = new Set<string>()
  const puts = new Set<string>()
  const twice = new Set<string>()
  for (const change of changes) {
    if ('delete' in change) deletes.add(change.delete)
    else if (puts.has(change.put)) twice.add(change.put)
    else puts.add(change.put)
  }
  return (path) => {
    if (twice.has(path)) return true
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) if (deletes.has(path.slice(0, end))) return true
    return false
  }
}
