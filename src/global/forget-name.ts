import { parseDigest } from '../oci/digest.ts'
import { inRepository, within } from '../registry/paths.ts'
import type { AbortOptions, Change, Expectation, ObjectStore } from '../storage/object-store.ts'
import type { ClosureEntry } from './closure.ts'
import type { Recent } from './recent.ts'
import { LATEST } from './repository-tree.ts'

/** Links of one kind that one push takes away; where a name has more, the next push goes on. */
const MAX_LINKS = 10_000
const PAGE = 1000

export interface Forgetting {
  readonly expect: readonly Expectation[]
  readonly changes: readonly Change[]
}

/** Whether the name has more than `latest` that must not go with it. */
export async function outlivesLatest(store: ObjectStore, name: string, options: AbortOptions = {}): Promise<boolean> {
  return (await store.list(inRepository(name, within.referrers), { ...options, limit: 1 })).length > 0
}

/**
 * What makes the tag `latest` of a name go once its image is global, and the whole name where nothing else is tagged in
 * it, and nothing in it refers to an image: signatures would be lost with it. A tag or a referrer that another process
 * adds meanwhile breaks the expectation, and the caller asks again. Only links that were seen go, and all of them are
 * remembered: what others put in meanwhile stays, and their pushes go on. So do uploads under way and the names below
 * this one.
 *
 * @param image what `latest` pointed to
 * @param stays there is more in the name, or will be
 */
export async function forgetLatest(
  store: ObjectStore,
  recent: Recent,
  name: string,
  image: readonly ClosureEntry[],
  stays: boolean,
  options: AbortOptions = {},
): Promise<Forgetting> {
  const directory = inRepository(name, within.tags)
  const names = await store.list(directory, { ...options, limit: 2 })
  const latestGoes: Change = { delete: inRepository(name, within.tag(LATEST)) }
  const unsigned: Expectation[] = stays ? [] : [{ directory: inRepository(name, within.referrers), names: [] }]
  if (stays || names.some((tag) => tag !== LATEST)) {
    return { expect: unsigned, changes: [...await recent.remember(name, image, options), latestGoes] }
  }
  const links = [
    ...await linksBelow(store, name, 'layer', options),
    ...await linksBelow(store, name, 'revision', options),
  ]
  const remembered = await recent.remember(name, [...image, ...links.map(({ entry }) => entry)], options)
  return {
    expect: [{ directory, names }, ...unsigned],
    changes: [...remembered, latestGoes, ...links.map(({ path }) => ({ delete: path }))],
  }
}

interface Link {
  readonly path: string
  readonly entry: Pick<ClosureEntry, 'digest' | 'manifest' | 'blob'>
}

async function linksBelow(store: ObjectStore, name: string, kind: 'layer' | 'revision', options: AbortOptions): Promise<Link[]> {
  const directory = inRepository(name, kind === 'layer' ? within.layers : within.revisions)
  const links: Link[] = []
  for (const algorithm of await store.list(directory, options)) {
    let after: string | undefined
    do {
      const page = await store.list(`${directory}/${algorithm}`, { ...options, after, limit: PAGE })
      for (const hex of page) {
        const digest = parseDigest(`${algorithm}:${hex}`)
        if (digest === undefined) continue
        links.push({ path: inRepository(name, within[kind](digest)), entry: { digest, manifest: kind === 'revision', blob: kind === 'layer' } })
      }
      after = page.length === PAGE ? page.at(-1) : undefined
    } while (after !== undefined && links.length < MAX_LINKS)
  }
  return links
}
