import type { AbortOptions } from '../../../storage/object-store.ts'
import type { KuboNode } from './node.ts'

/** Paths that are remembered of one node. */
const MOST = 10_000

/** What reads have found to be incomplete: its root is there, and tells nothing about the rest. In memory: it is found again. */
export class Damage {
  readonly #paths = new Map<KuboNode, Set<string>>()

  note(node: KuboNode, path: string): void {
    const paths = this.#paths.get(node) ?? new Set()
    this.#paths.set(node, paths.add(path))
    for (const first of paths) if (paths.size > MOST) paths.delete(first)
  }

  /** Whether something at a path of MFS was found to be incomplete, and is. */
  async lasts(node: KuboNode, path: string, options: AbortOptions): Promise<boolean> {
    const paths = this.#paths.get(node)
    if (paths?.has(path) !== true) return false
    if ((await node.isWhole(path, options)) === false) return true
    paths.delete(path)
    return false
  }
}
