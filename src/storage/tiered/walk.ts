import type { AbortOptions, ObjectReader, ObjectStat } from '../object-store.ts'
import { inParallel } from '../parallel.ts'

const PAGE = 1000
/** Objects looked at, or got, at once. */
export const AT_ONCE = 16

/** The object at a path and all that are below it, by their paths. */
export async function objectsAt(store: ObjectReader, path: string, options: AbortOptions = {}): Promise<Map<string, ObjectStat>> {
  const found = new Map<string, ObjectStat>()
  let level = [path]
  while (level.length > 0) {
    const next: string[] = []
    await inParallel(level, AT_ONCE, async (each) => {
      const [stat, names] = await Promise.all([each === '' ? undefined : store.stat(each, options), namesIn(store, each, options)])
      if (stat !== undefined) found.set(each, stat)
      next.push(...names.map((name) => (each === '' ? name : `${each}/${name}`)))
    })
    level = next
  }
  return found
}

/** All names directly below a directory. */
export async function namesIn(store: ObjectReader, directory: string, options: AbortOptions = {}): Promise<string[]> {
  const all: string[] = []
  for await (const name of eachNameIn(store, directory, options)) all.push(name)
  return all
}

/** The same, of which a page is in memory. */
export async function* eachNameIn(store: ObjectReader, directory: string, options: AbortOptions = {}): AsyncGenerator<string, void, void> {
  for (let after: string | undefined; ;) {
    const names: string[] = await store.list(directory, { ...options, after, limit: PAGE })
    yield* names
    after = names.at(-1)
    if (names.length < PAGE) return
  }
}

/** Whether there is an object at a path, or one below it. */
export async function isAnythingAt(store: ObjectReader, path: string, options: AbortOptions = {}): Promise<boolean> {
  return (await store.stat(path, options)) !== undefined || (await store.list(path, { ...options, limit: 1 })).length > 0
}
