import type { CID } from 'multiformats/cid'
import type { Change } from '../../../storage/object-store.ts'
import type { Branch, Leaf } from './bundle.ts'
import { isAt, touch, unitOf } from './tree.ts'

/** A blob that goes to its place: it is at the node that the path routes to. */
export interface PlacedBlob {
  readonly path: string
  readonly cid: CID
}

/** What a commit changes in MFS, whatever was there before and however often it is done. */
export class KuboChanges {
  /** By the path of its unit. A unit may be one object. */
  readonly units: Branch = new Map()
  readonly deletes: readonly { readonly path: string; readonly order: number }[]
  readonly #puts = new Map<string, Leaf>()

  constructor(blobs: readonly PlacedBlob[], changes: readonly Change[]) {
    const deletes = new Map<string, number>()
    let order = 0
    for (const { path, cid } of blobs) this.#puts.set(path, { cid, order: order++ })
    for (const change of changes) {
      if ('put' in change) {
        this.#puts.set(change.put, { data: change.data, order: order++ })
        continue
      }
      for (const path of this.#puts.keys()) if (isAt(path, change.delete)) this.#puts.delete(path)
      deletes.set(change.delete, order++)
    }
    this.deletes = [...deletes].map(([path, at]) => ({ path, order: at }))
    for (const [path, leaf] of this.#puts) this.#add(path, leaf)
  }

  /** What is put at a path or below it, of those units that are asked for. */
  at(path: string, isAsked: (unit: string) => boolean): Branch | Leaf | undefined {
    const branch: Branch = new Map()
    for (const [unit, child] of this.units) {
      if (!isAsked(unit)) continue
      if (isAt(path, unit)) return path === unit ? child : below(child, path.slice(unit.length + 1))
      if (isAt(unit, path)) put(branch, unit.slice(path.length + 1), child)
    }
    return branch.size === 0 ? undefined : branch
  }

  /** Of all objects that are put, and of what is deleted. */
  get paths(): readonly string[] {
    return [...this.#puts.keys(), ...this.deletes.map(({ path }) => path)]
  }

  /** Whether what is there at a path, or below it, is changed. */
  concerns(path: string): boolean {
    return this.paths.some((changed) => touch(changed, path))
  }

  #add(path: string, leaf: Leaf): void {
    const unit = unitOf(path)
    if (path === unit) this.units.set(unit, leaf)
    else put(branchIn(this.units, unit), path.slice(unit.length + 1), leaf)
  }
}

function put(branch: Branch, path: string, child: Branch | Leaf): void {
  const names = path.split('/')
  const last = names.pop() ?? ''
  for (const name of names) branch = branchIn(branch, name)
  branch.set(last, child)
}

function below(child: Branch | Leaf, path: string): Branch | Leaf | undefined {
  let found: Branch | Leaf | undefined = child
  for (const name of path.split('/')) found = found instanceof Map ? found.get(name) : undefined
  return found
}

/** An object and others below it can't be: what is said later is. */
function branchIn(branches: Map<string, Branch | Leaf>, name: string): Branch {
  const known = branches.get(name)
  if (known instanceof Map) return known
  const branch: Branch = new Map()
  branches.set(name, branch)
  return branch
}

/** When the last of what is in it is to be seen. */
export function orderOf(child: Branch | Leaf): number {
  if (!(child instanceof Map)) return child.order
  let last = 0
  for (const below of child.values()) last = Math.max(last, orderOf(below))
  return last
}
