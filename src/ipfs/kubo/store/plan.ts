import { StorageFailedError } from '../../../storage/errors.ts'
import type { AbortOptions } from '../../../storage/object-store.ts'
import { Bundle, type Branch, type Leaf } from './bundle.ts'
import { orderOf, type KuboChanges } from './changes.ts'
import { failed, mfsPath, type KuboNodes } from '../nodes/nodes.ts'
import type { KuboNode, MfsStat } from '../nodes/node.ts'
import { planRemovals } from './removals.ts'
import type { Step, Written } from './step.ts'
import { parentOf } from './tree.ts'

interface Put<Child = Branch | Leaf> {
  readonly node: KuboNode
  readonly path: string
  readonly child: Child
  readonly options: AbortOptions
}

/** Bytes of a file that is written over the one that is there, so that no reader ever finds none. */
const SMALL = 256 * 1024

/**
 * What is still to be done of a commit's changes, in their order, what makes them visible last; nothing where all is
 * done. Only reads.
 */
export class KuboPlan {
  readonly #nodes: KuboNodes
  readonly #changes: KuboChanges
  readonly #bundles = new Map<KuboNode, Bundle>()

  constructor(nodes: KuboNodes, changes: KuboChanges) {
    this.#nodes = nodes
    this.#changes = changes
    for (const node of nodes.all) {
      const units: Branch = new Map([...changes.units].filter(([unit]) => nodes.nodeOf(unit) === node))
      if (units.size > 0) this.#bundles.set(node, new Bundle(units))
    }
  }

  /** What each node is to hold while its small files are on their way. */
  get bundles(): ReadonlyMap<KuboNode, Bundle> {
    return this.#bundles
  }

  /** @throws StorageFailedError when a node does not answer, or where an object would have others below it */
  async steps(options: AbortOptions = {}): Promise<Step[]> {
    try {
      const puts = [...this.#changes.units].map(([unit, child]) => this.#put({ node: this.#nodes.nodeOf(unit), path: unit, child, options }))
      const removals = this.#nodes.all.map((node) => planRemovals({ node, nodes: this.#nodes, changes: this.#changes, options }))
      const steps = (await Promise.all([...puts, ...removals])).flat()
      return steps.sort((a, b) => a.order - b.order)
    } catch (error) {
      options.signal?.throwIfAborted()
      throw failed(error, true)
    }
  }

  /** @param isNew nothing is where it is to be */
  async #put({ node, path, child, options }: Put, isNew = false): Promise<Step[]> {
    const found = isNew ? undefined : await node.stat(mfsPath(path), options)
    const own = this.#bundles.get(node)?.cid(path)
    const cid = child instanceof Map ? own : (child.cid ?? own)
    if (found === undefined && cid !== undefined) return [{ node, path, order: orderOf(child), link: cid, ...(filesOf(path, child)) }]
    if (found !== undefined && cid?.equals(found.cid) === true) return []
    if (found !== undefined && found.directory !== child instanceof Map) this.#assertGoes(path)
    if (!(child instanceof Map)) return this.#file({ node, path, child, options }, found)
    const below = await Promise.all([...child].map(([name, each]) => this.#put({ node, path: `${path}/${name}`, child: each, options }, found === undefined)))
    return below.flat()
  }

  async #file({ node, path, child: { data, order }, options }: Put<Leaf>, found: MfsStat | undefined): Promise<Step[]> {
    // "If an object is there already, it stays and the upload's bytes are dropped."
    if (data === undefined) return []
    if (found?.size === data.byteLength && await holds(node, path, data, options)) return []
    const own = this.#bundles.get(node)?.cid(path)
    return data.byteLength <= SMALL || own === undefined ? [{ node, path, order, write: data }] : [{ node, path, order, replace: own }]
  }

  #assertGoes(path: string): void {
    if (this.#changes.deletes.some((each) => each.path === path || path.startsWith(`${each.path}/`))) return
    throw new StorageFailedError(`an object can't have others below it: ${parentOf(path)}`)
  }
}

function filesOf(path: string, child: Branch | Leaf): { readonly files?: readonly Written[] } {
  const files: Written[] = []
  const collect = (at: string, each: Branch | Leaf): boolean => {
    if (each instanceof Map) return [...each].every(([name, below]) => collect(`${at}/${name}`, below))
    if (each.data === undefined || each.data.byteLength > SMALL) return false
    return files.push({ path: at, data: each.data, order: each.order }) > 0
  }
  return collect(path, child) ? { files } : {}
}

async function holds(node: KuboNode, path: string, data: Uint8Array, options: AbortOptions): Promise<boolean> {
  const chunks: Uint8Array[] = []
  for await (const chunk of node.read(mfsPath(path), options)) chunks.push(new Uint8Array(chunk))
  return Buffer.concat(chunks).equals(data)
}
