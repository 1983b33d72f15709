import { indexAfter, sortedNames } from '../name-order.ts'
import type { ListOptions } from '../object-store.ts'
import type { Bucket, Page } from './bucket.ts'
import { below, isReserved, type BucketPlaces } from './keys.ts'

/** What comes before the delimiter may sort before it or after: `a-b` is before `a/`, and `a` is before both. */
const DELIMITER = '/'

/**
 * Names directly below a directory, by their bytes. Buckets sort a directory as if its name had a `/` at its end, so that one
 * may come after names that it should come before: those that begin with it. Where a page ends there, they are asked for.
 */
export async function listNames(bucket: Bucket, places: BucketPlaces, directory: string, options: ListOptions): Promise<string[]> {
  const { after, limit = 1000, signal } = options
  const prefix = below(directory)
  if (limit <= 0) return []
  const names = new Set<string>()
  const from = after === undefined ? undefined : `${prefix}${after}`
  let next: string | undefined
  for (let found = 0; ; ) {
    const page = await bucket.page(prefix, { delimiter: DELIMITER, after: from, next, limit: limit - found + 1, signal })
    for (const name of namesOf(page, prefix)) if (!isReserved(`${prefix}${name}`, places)) names.add(name)
    if (page.next === undefined) break
    next = page.next
    found = named(names, after, limit).length
    if (found < limit) continue
    const late = lateDirectories(lastOf(page).slice(prefix.length)).filter((name) => !names.has(name))
    const there = await Promise.all(late.map((name) => bucket.page(`${prefix}${name}${DELIMITER}`, { limit: 1, signal })))
    for (const [index, name] of late.entries()) if (there[index]?.objects.length === 1 && !isReserved(`${prefix}${name}`, places)) names.add(name)
    break
  }
  return named(names, after, limit)
}

function named(names: ReadonlySet<string>, after: string | undefined, limit: number): string[] {
  const sorted = sortedNames(names)
  const start = after === undefined ? 0 : indexAfter(sorted, after)
  return sorted.slice(start, start + limit)
}

function* namesOf({ objects, prefixes }: Page, prefix: string): Generator<string, void, void> {
  // Some servers and consoles make a directory visible by an empty object at `directory/`.
  for (const { path } of objects) if (path.length > prefix.length) yield path.slice(prefix.length)
  for (const path of prefixes) if (path.length > prefix.length + 1) yield path.slice(prefix.length, -1)
}

/** The end of a page: where S3 goes on. */
export function lastOf({ objects, prefixes }: Pick<Page, 'objects' | 'prefixes'>): string {
  const [object = '', directory = ''] = [objects.at(-1)?.path, prefixes.at(-1)]
  return Buffer.compare(Buffer.from(object), Buffer.from(directory)) > 0 ? object : directory
}

/** Directories that a bucket gives after `last` although they sort before it. */
function lateDirectories(last: string): string[] {
  const late: string[] = []
  for (let at = 1; at < last.length; at++) if ((last[at] ?? '') < DELIMITER) late.push(last.slice(0, at))
  return late
}
