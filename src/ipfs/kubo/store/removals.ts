import type { AbortOptions } from '../../../storage/object-store.ts'
import type { Branch } from './bundle.ts'
import type { KuboChanges } from './changes.ts'
import { mfsPath, type KuboNodes } from '../nodes/nodes.ts'
import type { KuboNode } from '../nodes/node.ts'
import type { Step } from './step.ts'
import { isPruned, nameOf, parentOf } from './tree.ts'

/** Directories read at once. */
const AT_ONCE = 16

export interface RemovalsToPlan {
  readonly node: KuboNode
  readonly nodes: KuboNodes
  readonly changes: KuboChanges
  readonly options: AbortOptions
}

/** What goes from one node, together with every directory in which nothing is left then. */
export async function planRemovals(toPlan: RemovalsToPlan): Promise<Step[]> {
  const { node, nodes, changes } = toPlan
  const removals = new Removals(toPlan)
  await inTurns(changes.deletes.filter(({ path }) => nodes.mayHave(node, path)), ({ path, order }) => removals.add(path, order))
  await removals.prune()
  return removals.steps
}

class Removals {
  readonly #node: KuboNode
  readonly #nodes: KuboNodes
  readonly #changes: KuboChanges
  readonly #options: AbortOptions
  readonly #removed = new Map<string, number>()
  readonly #names = new Map<string, Promise<readonly string[]>>()

  constructor({ node, nodes, changes, options }: RemovalsToPlan) {
    this.#node = node
    this.#nodes = nodes
    this.#changes = changes
    this.#options = options
  }

  get steps(): Step[] {
    return [...this.#removed].map(([path, order]) => ({ node: this.#node, path, order, remove: true }))
  }

  /** The object at a path and all below it, but for what is put there later. */
  async add(path: string, order: number): Promise<void> {
    if (!await this.#exists(path)) return
    const kept = this.#kept(path)
    if (kept === undefined) this.#removed.set(path, order)
    else await this.#clear(path, kept, order)
  }

  /** Directories of which all names go. */
  async prune(): Promise<void> {
    let emptied = new Set([...this.#removed.keys()].map(parentOf))
    while (emptied.size > 0) {
      const above = new Set<string>()
      await inTurns([...emptied], async (directory) => {
        if (!isPruned(directory) || this.#kept(directory) !== undefined) return
        const paths = (await this.#namesOf(directory)).map((name) => `${directory}/${name}`)
        const orders = paths.map((path) => this.#removed.get(path))
        if (!orders.every((order) => order !== undefined)) return
        for (const path of paths) this.#removed.delete(path)
        this.#removed.set(directory, Math.max(...orders))
        above.add(parentOf(directory))
      })
      emptied = above
    }
    // What is in a directory that goes as a whole goes with it.
    for (const path of this.#removed.keys()) {
      for (let above = parentOf(path); above !== ''; above = parentOf(above)) if (this.#removed.has(above)) this.#removed.delete(path)
    }
  }

  /** `kept`: an object, or a directory of some. */
  async #clear(path: string, kept: Branch | object, order: number): Promise<void> {
    const found = await this.#node.stat(mfsPath(path), this.#options)
    if (found === undefined) return
    if (found.directory !== kept instanceof Map) this.#removed.set(path, order)
    if (!found.directory || !(kept instanceof Map)) return
    await inTurns(await this.#namesOf(path), async (name) => {
      const child = kept.get(name)
      if (child === undefined) this.#removed.set(`${path}/${name}`, order)
      else await this.#clear(`${path}/${name}`, child, order)
    })
  }

  #kept(path: string): Branch | object | undefined {
    return this.#changes.at(path, (unit) => this.#nodes.nodeOf(unit) === this.#node)
  }

  async #exists(path: string): Promise<boolean> {
    const directory = parentOf(path)
    // The directory of all repositories is large.
    if (!isPruned(directory)) return (await this.#node.stat(mfsPath(path), this.#options)) !== undefined
    const names = await this.#namesOf(directory)
    if (!names.includes(nameOf(path))) return false
    // "files ls" of a file is its own name.
    return names.length > 1 || nameOf(path) !== nameOf(directory) || (await this.#node.stat(mfsPath(path), this.#options)) !== undefined
  }

  #namesOf(directory: string): Promise<readonly string[]> {
    let names = this.#names.get(directory)
    if (names === undefined) {
      names = this.#node.names(mfsPath(directory), this.#options).then((found) => found ?? [])
      this.#names.set(directory, names)
    }
    return names
  }
}

async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += AT_ONCE) await Promise.all(items.slice(i, i + AT_ONCE).map(work))
}
