import type { Digest } from '../oci/digest.ts'
import { within } from '../registry/paths.ts'
import type { LinkKind } from '../registry/references.ts'
import type { AbortOptions, Change, ObjectStore } from '../storage/object-store.ts'
import type { ClosureEntry } from './closure.ts'

const RECENT = 'disco/recent'
/** How long reads by digest under a name that went keep answering, in milliseconds. */
const READABLE = 10 * 60 * 1000
/** How long a push may take that relies on what its name had, in milliseconds; also what one period lasts. */
const PERIOD = 12 * 60 * 60 * 1000
/** Old periods that one push clears away at most; there is hardly ever one. */
const PURGED_AT_ONCE = 10

/**
 * What names had before they went, at `disco/recent/<period>/<name>/` and from there on as in a repository; a file
 * holds the time of its writing. Purging is one delete a period.
 */
export class Recent {
  readonly #store: Pick<ObjectStore, 'get' | 'list'>
  readonly #now: () => number

  constructor(store: Pick<ObjectStore, 'get' | 'list'>, now: () => number = Date.now) {
    this.#store = store
    this.#now = now
  }

  /** What a commit has to do so that `name` is remembered to have had `entries`. */
  async remember(name: string, entries: readonly Pick<ClosureEntry, 'digest' | 'manifest' | 'blob'>[], options?: AbortOptions): Promise<Change[]> {
    const now = this.#now()
    const data = new TextEncoder().encode(String(now))
    const put = (kind: LinkKind, digest: Digest): Change => ({ put: pathOf(periodOf(now), name, kind, digest), data })
    return [
      ...await this.#purge(periodOf(now), options),
      ...entries.flatMap(({ digest, manifest, blob }) => [
        ...(blob ? [put('layer', digest)] : []),
        ...(manifest ? [put('revision', digest)] : []),
      ]),
    ]
  }

  /** What a commit has to do so that `name` is no longer remembered to have had it; nothing where it is not. */
  async forget(name: string, kind: LinkKind, digest: Digest, options?: AbortOptions): Promise<Change[]> {
    if (!await this.isKnown(name, kind, digest, options)) return []
    const period = periodOf(this.#now())
    return [period, period - 1].map((candidate) => ({ delete: pathOf(candidate, name, kind, digest) }))
  }

  /** Whether reads of it under `name` still answer. */
  async isReadable(name: string, kind: LinkKind, digest: Digest, options?: AbortOptions): Promise<boolean> {
    const at = await this.#writtenAt(name, kind, digest, options)
    return at !== undefined && this.#now() - at < READABLE
  }

  /** Whether a push to `name` may rely on it. */
  async isKnown(name: string, kind: LinkKind, digest: Digest, options?: AbortOptions): Promise<boolean> {
    const at = await this.#writtenAt(name, kind, digest, options)
    return at !== undefined && this.#now() - at < PERIOD
  }

  async #writtenAt(name: string, kind: LinkKind, digest: Digest, options?: AbortOptions): Promise<number | undefined> {
    const period = periodOf(this.#now())
    for (const candidate of [period, period - 1]) {
      const data = await this.#store.get(pathOf(candidate, name, kind, digest), options)
      if (data !== undefined) return Number(new TextDecoder().decode(data))
    }
    return undefined
  }

  async #purge(period: number, options?: AbortOptions): Promise<Change[]> {
    const periods = await this.#store.list(RECENT, { ...options, limit: PURGED_AT_ONCE })
    return periods.filter((name) => Number(name) < period - 1).map((name) => ({ delete: `${RECENT}/${name}` }))
  }
}

function periodOf(now: number): number {
  return Math.floor(now / PERIOD)
}

function pathOf(period: number, name: string, kind: LinkKind, digest: Digest): string {
  return `${RECENT}/${period}/${name}/${within[kind](digest)}`
}
