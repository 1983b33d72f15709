import { CHUNK_SIZE, type AbortOptions, type Change } from '../object-store.ts'
import { inParallel } from '../parallel.ts'
import { PAGE, type Bucket } from './bucket.ts'
import type { Held } from './held-locks.ts'
import { keys, type BucketPlaces } from './keys.ts'

/** Requests of one commit at a time. */
const AT_ONCE = 32

/** A change that can be done again. What is put there or below later in the same commit is not deleted, for it may have been put already. */
export type Step =
  | { readonly put: string; readonly data: Uint8Array }
  | { readonly delete: string; readonly except: readonly string[] }

export function stepsOf(changes: readonly Change[]): Step[] {
  return changes.map((change, index) => {
    if ('put' in change) return change
    const later = changes.slice(index + 1).flatMap((each) => ('put' in each ? [each.put] : []))
    return { delete: change.delete, except: later.filter((path) => path === change.delete || path.startsWith(`${change.delete}/`)) }
  })
}

/**
 * Does steps that nothing sees before the last of them at once, all others one after the other.
 *
 * @param notedAt of a commit that was cut off, in milliseconds since the epoch: what needs no lock may have been put since, and stays
 */
export async function applySteps(
  bucket: Bucket, places: BucketPlaces, steps: readonly Step[], held: Pick<Held, 'signal' | 'assert'>, notedAt: number = Infinity,
): Promise<void> {
  const isLater = ({ path, modifiedAt }: Dated): boolean => places.isConstant(path) && modifiedAt > notedAt
  for (const wave of wavesOf(steps, places)) {
    held.assert()
    const { signal } = held
    if (wave instanceof Map) await inParallel([...wave], AT_ONCE, ([path, data]) => bucket.put(path, data, { signal }))
    else await inParallel(wave, AT_ONCE, (step) => deleteTree(bucket, step.delete, (object) => step.except.includes(object.path) || isLater(object), { signal }))
  }
}

type Wave = Map<string, Uint8Array> | Extract<Step, { readonly delete: string }>[]

function wavesOf(steps: readonly Step[], places: BucketPlaces): Wave[] {
  const waves: Wave[] = []
  let closed = false
  for (const [index, step] of steps.entries()) {
    const last = waves.at(-1)
    if ('delete' in step) {
      if (Array.isArray(last)) last.push(step)
      else waves.push([step])
      continue
    }
    const alone = places.reveals(step.put) || index === steps.length - 1
    if (last instanceof Map && !alone && !closed) last.set(step.put, step.data)
    else waves.push(new Map([[step.put, step.data]]))
    closed = alone
  }
  return waves
}

interface Dated {
  readonly path: string
  readonly modifiedAt: number
}

/** The object at a path and all below it, page by page, but for what stays. */
async function deleteTree(bucket: Bucket, path: string, stays: (object: Dated) => boolean, { signal }: AbortOptions): Promise<void> {
  const under = `${path}/`
  let next: string | undefined
  for (let prefix = path; ; prefix = under) {
    const page = await bucket.page(prefix, { next, signal })
    const found = page.objects.filter((object) => (object.path === path || object.path.startsWith(under)) && !stays(object))
    await deletePaths(bucket, found.flatMap((object) => [object.path, ...(object.size > CHUNK_SIZE ? [keys.chunks(object.path)] : [])]), { signal })
    if (page.next === undefined) return
    // Beside it there may be thousands whose names begin like its own.
    next = prefix === under ? page.next : undefined
  }
}

/** However many. */
export async function deletePaths(bucket: Bucket, paths: readonly string[], options: AbortOptions): Promise<void> {
  for (let at = 0; at < paths.length; at += PAGE) await bucket.delete(paths.slice(at, at + PAGE), options)
}
