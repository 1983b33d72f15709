import { StorageFailedError } from '../errors.ts'
import { CHUNK_SIZE, type AbortOptions, type Batch, type Change, type ChunkHashes, type FinishedUpload, type ObjectStat, type ObjectStore } from '../object-store.ts'
import { inParallel } from '../parallel.ts'
import type { Away } from './away.ts'
import type { Owed } from './debts.ts'
import { above, isAt, type TierPlaces } from './places.ts'
import { drop, SourceFailedError, transfer, type Transfer } from './transfer.ts'
import type { Turn } from './turn.ts'
import { AT_ONCE, isAnythingAt, objectsAt } from './walk.ts'

export interface CopyingParts {
  readonly authority: ObjectStore & ChunkHashes
  readonly copy: ObjectStore & ChunkHashes
  readonly places: TierPlaces
  readonly away: Away
  /** Where processes change the copy one at a time. */
  readonly turn: Turn | undefined
  /** It may lack what it has no room for, and will not be asked for the hashes of chunks. */
  readonly isCache: boolean
}

/** What a commit has just done in the authority, of what is shared. */
export type Known = Required<Pick<Batch, 'uploads' | 'changes'>> & {
  /** Uploads of the copy's own that have the bytes. */
  readonly ready: readonly FinishedUpload[]
}

/** What the copy lacks, and has too much, to be what the authority is. */
interface Difference {
  readonly deletes: readonly string[]
  readonly small: readonly string[]
  readonly large: readonly Large[]
}

interface Large {
  readonly path: string
  /** Something else is there: an object stays where an upload would be. */
  readonly isInPlace: boolean
}

export interface BringOptions extends AbortOptions, Pick<Transfer, 'id' | 'onProgress'> {
  readonly known?: Known | undefined
  /** Objects with a digest that the copy has are other bytes than that, and are put in their places. @default false */
  readonly anew?: boolean | undefined
}

/** Milliseconds that the copy may take to look at something, to change small things, and to commit an upload, with so many more bytes for each. */
const LOOK = 5000
const CHANGE = 10_000
const COMMIT = 60_000
const BYTES = 20_000
/** Others change the authority meanwhile; who does so that often can wait for the next round. */
const ATTEMPTS = 6
/** Bytes of an object that comes into memory as a whole, and of all those of one commit. */
const SMALL = CHUNK_SIZE
const TOGETHER = 500

/**
 * Makes the copy at some paths what the authority is there. Who has written looks at the authority again: whoever comes
 * last has looked after its last change, or somebody owes that one.
 */
export class Copying {
  readonly #parts: CopyingParts

  constructor(parts: CopyingParts) {
    this.#parts = parts
  }

  /**
   * Whether the copy has all of it: a cache may have no room. Of what was written it keeps what the authority has not, or no more.
   *
   * @throws AwayError, StorageFailedError; it can be done again
   */
  async bring({ paths, written = [] }: Owed, { known, anew = false, signal, ...watching }: BringOptions = {}): Promise<boolean> {
    const without = new Set<string>()
    const brought = new Set<string>()
    if (known !== undefined) {
      await this.#repeat(known, without, { signal })
      if (await this.#holds(known, { signal })) return without.size === 0
    }
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const difference = await this.#differences({ paths, written }, anew && attempt === 1, { signal })
      const wanted = difference.large.filter(({ path }) => !without.has(path))
      // A cache that has lost again what it was given makes room for something else.
      if (this.#parts.isCache) for (const { path } of wanted.filter((each) => brought.has(each.path))) without.add(path)
      if (difference.deletes.length + difference.small.length + wanted.length === 0) return without.size === 0
      const large = wanted.filter(({ path }) => !without.has(path))
      if (this.#parts.turn === undefined) await this.#change(difference, { signal })
      else if (large.length === 0 && (await this.#changeInTurn({ paths, written }, { signal }))) return without.size === 0
      await this.#large(large, without, { signal, ...watching })
      for (const { path } of large) brought.add(path)
    }
    throw new StorageFailedError('the copy does not become what the authority is')
  }

  /**
   * What becomes of the authority after it was looked at, somebody owes who has the turn later. Whether that was all: not
   * while objects are missing that others wait too long for.
   */
  #changeInTurn(owed: Owed, options: AbortOptions): Promise<boolean> {
    return this.#inTurn(options, async (signal) => {
      const difference = await this.#differences(owed, false, { signal })
      if (difference.large.length > 0) return false
      await this.#change(difference, { signal })
      return true
    })
  }

  async #differences({ paths, written = [] }: Owed, anew: boolean, options: AbortOptions): Promise<Difference> {
    const differences = await inParallel(paths, AT_ONCE, (path) => this.#difference(path, written.includes(path), anew, options))
    return {
      deletes: differences.flatMap(({ deletes }) => deletes),
      small: differences.flatMap(({ small }) => small),
      large: differences.flatMap(({ large }) => large),
    }
  }

  /** Does to the copy what was done to the authority. */
  async #repeat({ uploads, changes, ready }: Known, without: Set<string>, options: AbortOptions): Promise<void> {
    const { copy, away } = this.#parts
    const here = new Set(ready.map(({ path }) => path))
    const missing: Large[] = []
    for (const { path } of uploads) {
      if (!here.has(path) && (await this.#lookAt((signal) => copy.stat(path, { signal }), options)) === undefined) missing.push({ path, isInPlace: false })
    }
    if (missing.length > 0) await this.#large(missing, without, options)
    if (ready.length + changes.length === 0) return
    await this.#inTurn(options, (signal) => away.ask((asking) => copy.commit({ uploads: ready, changes }, { signal: asking }), { limit: CHANGE, signal, isChange: true }))
  }

  /** Whether the authority still is what the copy was made. */
  async #holds({ uploads, changes }: Known, options: AbortOptions): Promise<boolean> {
    const { authority, places } = this.#parts
    const last = new Map<string, Change>()
    for (const change of changes) {
      const path = pathOf(change)
      if ('delete' in change) for (const each of last.keys()) if (isAt(each, path)) last.delete(each)
      // What is fixed comes and goes as a whole.
      last.set('put' in change ? (places.unitOf(path)?.path ?? path) : path, change)
    }
    const isStill = async (change: Change): Promise<boolean> => {
      if ('put' in change) {
        const data = await authority.get(change.put, options)
        return data !== undefined && Buffer.compare(data, change.data) === 0
      }
      const later = changes.slice(changes.indexOf(change) + 1).some((each) => 'put' in each && isAt(each.put, change.delete))
      return later || !(await isAnythingAt(authority, change.delete, options))
    }
    const found = await inParallel([...last.values()], AT_ONCE, isStill)
    const objects = await inParallel(uploads, AT_ONCE, async ({ path }) => last.has(path) || (await authority.stat(path, options)) !== undefined)
    return [...found, ...objects].every(Boolean)
  }

  async #difference(path: string, isWritten: boolean, anew: boolean, options: AbortOptions): Promise<Difference> {
    const { authority, copy, places } = this.#parts
    const unit = places.unitOf(path)
    const wanted = unit?.digest !== undefined && unit.path === path ? await only(authority, path, options) : await objectsAt(authority, path, options)
    const found = await this.#lookAt((signal) => objectsAt(copy, path, { signal }), options)
    if (wanted.size === 0) return { deletes: found.size === 0 || isWritten ? [] : [path], small: [], large: [] }
    const excess = [...found.keys()].filter((each) => !wanted.has(each))
    const directories = new Set([...wanted.keys()].flatMap((each) => [...above(each)]))
    const isInTheWay = excess.some((each) => directories.has(each) || above(each).some((directory) => wanted.has(directory)))
    const different = isInTheWay ? [...wanted.keys()] : await this.#changed(wanted, found, anew, options)
    const isSmall = (each: string): boolean => (wanted.get(each)?.size ?? 0) <= SMALL && places.unitOf(each)?.digest === undefined
    const large = different.filter((each) => !isSmall(each)).map((each) => ({ path: each, isInPlace: !isInTheWay && found.has(each) }))
    return { deletes: isInTheWay ? [path] : isWritten ? [] : excess, small: different.filter(isSmall), large }
  }

  async #changed(wanted: ReadonlyMap<string, ObjectStat>, found: ReadonlyMap<string, ObjectStat>, anew: boolean, options: AbortOptions): Promise<string[]> {
    const { authority, copy, places, away } = this.#parts
    const changed = await inParallel([...wanted], AT_ONCE, async ([path, { size }]) => {
      const other = found.get(path)
      if (other?.size !== size) return [path]
      if (places.unitOf(path)?.digest !== undefined) return anew ? [path] : []
      const [ours, theirs] = size <= SMALL
        ? await Promise.all([authority.get(path, options), this.#lookAt((signal) => copy.get(path, { signal }), options)])
        : await Promise.all([authority.chunkHashes(path, options), away.ask((signal) => copy.chunkHashes(path, { signal }), { limit: COMMIT, ...options })])
      return ours !== undefined && theirs !== undefined && Buffer.compare(ours, theirs) === 0 ? [] : [path]
    })
    return changed.flat()
  }

  async #change({ deletes, small }: Difference, options: AbortOptions): Promise<void> {
    const { authority, copy, places, away } = this.#parts
    const [last, first] = [small.filter((path) => places.reveals(path)), small.filter((path) => !places.reveals(path))]
    const order = [...first.toSorted(), ...last.toSorted()]
    const got = async (paths: readonly string[]): Promise<Change[]> =>
      (await inParallel(paths, AT_ONCE, async (path) => ({ path, data: await authority.get(path, options) }))).flatMap(({ path, data }) => (data === undefined ? [] : [{ put: path, data }]))
    for (let at = 0; at === 0 || at < order.length; at += TOGETHER) {
      const changes = [...(at === 0 ? deletes.map((path) => ({ delete: path })) : []), ...await got(order.slice(at, at + TOGETHER))]
      if (changes.length === 0) continue
      await away.ask((asking) => copy.commit({ changes }, { signal: asking }), { limit: CHANGE, ...options, isChange: true })
    }
  }

  /** Objects of any size, one after the other. @param without is told those for which a cache has no room */
  async #large(objects: readonly Large[], without: Set<string>, { signal, ...watching }: AbortOptions & Pick<Transfer, 'id' | 'onProgress'>): Promise<void> {
    const { authority, copy, places, away, isCache } = this.#parts
    for (const [index, { path, isInPlace }] of objects.entries()) {
      const { digest } = places.unitOf(path) ?? {}
      // Gone meanwhile, and somebody owes that.
      const stat = await authority.stat(path, { signal })
      if (stat === undefined) continue
      away.assertHere()
      try {
        const own = index === 0 ? watching : {}
        const upload = await transfer(copy, { source: authority.read(path, { signal }), path, digest, chunkHashes: !isCache, signal, ...own })
        const commit = async (committing: AbortOptions): Promise<void> => {
          if (isInPlace) await copy.commit({ changes: [{ delete: path }] }, committing)
          await copy.commit({ uploads: [upload] }, committing)
        }
        await this.#inTurn({ signal }, (ours) => away.ask((asking) => commit({ signal: asking }), { limit: COMMIT + stat.size / BYTES, signal: ours, isChange: true })).catch(async (error: unknown) => {
          await drop(copy, upload.id)
          throw error
        })
      } catch (error) {
        signal?.throwIfAborted()
        if (error instanceof SourceFailedError) throw error.cause
        if (isCache && error instanceof StorageFailedError && error.isFull) {
          without.add(path)
          continue
        }
        away.failed(error)
        throw error
      }
    }
  }

  #lookAt<T>(work: (signal: AbortSignal) => Promise<T>, { signal }: AbortOptions): Promise<T> {
    return this.#parts.away.ask(work, { limit: LOOK, signal })
  }

  async #inTurn<T>({ signal }: AbortOptions, work: (signal: AbortSignal | undefined) => Promise<T>): Promise<T> {
    const { turn } = this.#parts
    if (turn === undefined) return work(signal)
    return turn.hold((held) => work(signal === undefined ? held : AbortSignal.any([signal, held])), { signal })
  }
}

function pathOf(change: Change): string {
  return 'put' in change ? change.put : change.delete
}

async function only(store: ObjectStore, path: string, options: AbortOptions): Promise<Map<string, ObjectStat>> {
  const stat = await store.stat(path, options)
  return new Map(stat === undefined ? [] : [[path, stat]])
}
