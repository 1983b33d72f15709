import { setImmediate } from 'node:timers/promises'
import { isRepositoryName } from '../oci/reference.ts'
import type { AbortOptions, ObjectStore } from '../storage/object-store.ts'
import { REPOSITORIES } from './paths.ts'
import type { Page, PageOptions } from './registry.ts'
import type { Repositories } from './repositories.ts'
import { PAGE_SIZE, pageSize } from './tags.ts'

/** A directory whose repositories are still to come in the order. */
interface Subtree {
  readonly segment: string
  /** Only names below it that sort after this one. */
  readonly after?: string | undefined
}

/** All repositories, sorted by the bytes of their names. A page costs the directories that it passes. */
export class Catalog {
  readonly #store: ObjectStore
  readonly #repositories: Repositories

  readonly #most: number

  /** @param most entries of a page */
  constructor(store: ObjectStore, repositories: Repositories, most: number = PAGE_SIZE) {
    this.#store = store
    this.#repositories = repositories
    this.#most = most
  }

  async list({ limit, after, signal }: PageOptions = {}): Promise<Page> {
    const size = pageSize(limit, this.#most)
    const entries: string[] = []
    if (size === 0) return { entries, more: false }
    for await (const name of this.names({ after, signal })) {
      if (!(await this.#repositories.exists(name, { signal }))) continue
      if (entries.length === size) return { entries, more: true }
      entries.push(name)
    }
    return { entries, more: false }
  }

  /** Every directory that may be a repository, in the order of the list; those in which a first push is under way, too. */
  names({ after, signal }: Omit<PageOptions, 'limit'> = {}): AsyncGenerator<string> {
    return this.#walk('', after, { signal })
  }

  /**
   * `a/b` sorts after `a-b` and before `a0`, so what is below `a` waits until the siblings that sort before `a/` are
   * through. Each of these begins with `a`, so what waits is never more than a name is long.
   */
  async *#walk(prefix: string, after: string | undefined, options: AbortOptions): AsyncGenerator<string> {
    const waiting: Subtree[] = after === undefined ? [] : passed(after)
    for await (const segment of this.#segments(prefix, after === undefined ? undefined : lastPassed(after), options)) {
      yield* this.#below(prefix, waiting, segment, options)
      const name = prefix + segment
      if (!isRepositoryName(name)) continue
      yield name
      waiting.push({ segment })
    }
    yield* this.#below(prefix, waiting, undefined, options)
  }

  async *#below(prefix: string, waiting: Subtree[], until: string | undefined, options: AbortOptions): AsyncGenerator<string> {
    for (;;) {
      const next = waiting.at(-1)
      if (next === undefined || (until !== undefined && `${next.segment}/` > until)) return
      waiting.pop()
      yield* this.#walk(`${prefix}${next.segment}/`, next.after, options)
    }
  }

  async *#segments(prefix: string, after: string | undefined, options: AbortOptions): AsyncGenerator<string> {
    const directory = `${REPOSITORIES}/${prefix}`.slice(0, -1)
    const limit = 200
    let last = after
    for (;;) {
      const names = await this.#store.list(directory, { after: last, limit, signal: options.signal })
      yield* names
      if (names.length < limit) return
      // Where the store answers at once, and many directories are no repositories, nobody else would get a turn.
      await setImmediate()
      last = names.at(-1)
    }
  }
}

/** The last of the siblings that sort before `last`: where that is below `a`, those that begin with `a-` and `a.` do so too. */
function lastPassed(last: string): string {
  const slash = last.indexOf('/')
  return slash === -1 ? last : `${last.slice(0, slash)}.~`
}

/** The subtrees that a page before, which ended with `last`, has passed by but not finished. */
function passed(last: string): Subtree[] {
  const slash = last.indexOf('/')
  const first = slash === -1 ? last : last.slice(0, slash)
  const subtrees: Subtree[] = []
  for (let length = 1; length < first.length; length++) {
    const segment = first.slice(0, length)
    if (isRepositoryName(segment) && `${segment}/` > last) subtrees.push({ segment })
  }
  if (isRepositoryName(first)) subtrees.push({ segment: first, after: slash === -1 ? undefined : last.slice(slash + 1) })
  return subtrees
}
