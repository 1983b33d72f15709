import { StorageFailedError } from '../../../storage/errors.ts'
import type { AbortOptions } from '../../../storage/object-store.ts'
import { KuboRefusedError } from '../nodes/errors.ts'
import type { KuboChanges } from './changes.ts'
import { failed, mfsPath, type KuboNodes } from '../nodes/nodes.ts'
import { isMissing, type KuboNode } from '../nodes/node.ts'
import { KuboPlan } from './plan.ts'
import type { Step } from './step.ts'

/** Paths that one call removes. */
const REMOVED_AT_ONCE = 50
/** Small files that are rather written one by one than given as a bundle. */
const FEW_FILES = 2
/**
 * What one call of Kubo's has done another, at the same time, can undo by flushing (boxo's mfs drops directories that
 * it has written from its memory, also where somebody is at work on one). So often what is missing is done again. Every
 * call writes down what it has changed and no directory above: who flushes one undoes what others do below it.
 */
const ATTEMPTS = 5

/** Does what is noted. It may have been begun before; what is done already is not done again. */
export class KuboExecution {
  readonly #plan: KuboPlan
  readonly #given = new Set<KuboNode>()
  readonly #again: boolean

  /** @param again it may have been begun: what nodes were given then is let go of */
  constructor(nodes: KuboNodes, changes: KuboChanges, { again = false }: { readonly again?: boolean } = {}) {
    this.#plan = new KuboPlan(nodes, changes)
    this.#again = again
  }

  /** Looks what is to be done. Nothing has changed. @throws StorageFailedError where it can't be done */
  look(options?: AbortOptions): Promise<Step[]> {
    return this.#plan.steps(options)
  }

  /** @param steps what `look` has found. @throws StorageFailedError when a node does not answer: then it is to be done again */
  async run(steps: readonly Step[]): Promise<void> {
    let left = steps
    try {
      for (let attempt = 1; left.length > 0; attempt++) {
        if (attempt > ATTEMPTS) throw new StorageFailedError(`what was put into MFS is not there: ${left[0]?.path ?? ''}`)
        await this.#do(this.#cheaper(left))
        left = await this.look()
      }
      await this.release()
    } catch (error) {
      throw failed(error, true)
    }
  }

  /** Lets go of what nodes were given. @throws StorageFailedError */
  async release(): Promise<void> {
    const given = [...this.#plan.bundles].filter(([node]) => this.#again || this.#given.has(node))
    await Promise.all(given.map(([node, bundle]) => bundle.release(node)))
  }

  /** Where blobs would go that their nodes do not have, or not whole. @throws StorageFailedError */
  async lost(steps: readonly Step[]): Promise<string[]> {
    const lost: string[] = []
    try {
      for (const step of steps) if ('link' in step && this.#isBlob(step) && !(await step.node.hasWhole(step.link))) lost.push(step.path)
    } catch (error) {
      throw failed(error, true)
    }
    return lost
  }

  /** A bundle costs four calls: a file or two are written for less. */
  #cheaper(steps: readonly Step[]): Step[] {
    const files = new Map<KuboNode, number>()
    for (const step of steps) {
      if ('link' in step && !this.#isBlob(step)) files.set(step.node, (files.get(step.node) ?? 0) + (step.files?.length ?? Infinity))
      if ('replace' in step) files.set(step.node, Infinity)
    }
    return steps.flatMap((step): Step[] => {
      if (!('link' in step) || step.files === undefined || (files.get(step.node) ?? 0) > FEW_FILES) return [step]
      return step.files.map(({ path, data, order }) => ({ node: step.node, path, order, write: data }))
    }).sort((a, b) => a.order - b.order)
  }

  #isBlob(step: Step): boolean {
    return 'link' in step && this.#plan.bundles.get(step.node)?.cid(step.path)?.equals(step.link) !== true
  }

  async #do(steps: readonly Step[]): Promise<void> {
    await Promise.all([...this.#plan.bundles].map(async ([node, bundle]) => {
      const needed = steps.some((step) => step.node === node && (('link' in step && !this.#isBlob(step)) || 'replace' in step))
      if (!needed || this.#given.has(node)) return
      // Before it begins: what was given in part is let go of as well.
      this.#given.add(node)
      await bundle.give(node)
    }))
    let at = 0
    while (at < steps.length) {
      const step = steps[at]
      if (step === undefined) return
      const removals = runOf(steps, at)
      if (removals.length > 0) {
        await step.node.remove(removals.map(({ path }) => mfsPath(path)))
        at += removals.length
      } else {
        await this.#change(step)
        at++
      }
    }
  }

  async #change(step: Step): Promise<void> {
    const { node, path } = step
    try {
      if ('link' in step) await node.link(step.link, mfsPath(path))
      else if ('write' in step) await node.write(mfsPath(path), step.write)
      else if ('replace' in step) await node.link(step.replace, mfsPath(path), { force: true })
    } catch (error) {
      if ('link' in step && isMissing(error)) throw new StorageFailedError(`${node.name} does not have ${step.link}, which is to be at ${path}`, { cause: error })
      // Somebody else was faster: the next look tells what is still to be done.
      if (!(error instanceof KuboRefusedError && error.reason.endsWith('directory already has entry by that name'))) throw error
    }
  }
}

/** Removals from one node that stand one after the other. */
function runOf(steps: readonly Step[], at: number): Step[] {
  const run: Step[] = []
  for (const step of steps.slice(at, at + REMOVED_AT_ONCE)) {
    if (!('remove' in step) || step.node !== steps[at]?.node) break
    run.push(step)
  }
  return run
}
