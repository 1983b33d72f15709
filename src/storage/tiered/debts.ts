import { randomBytes } from 'node:crypto'
import type { AbortOptions, Change, ObjectStore } from '../object-store.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { touch, type TierPlaces } from './places.ts'

/** Ours, in the authority: `disco/tier/<time>-<random>`, the paths at which the copy is still to become what the authority is. */
const DIRECTORY = 'disco/tier'
const PAGE = 1000
/** Milliseconds. */
const FRESH = 10_000
/** An authority that did not answer is not waited for so soon again, in milliseconds. */
const FAILING = 5000

export interface Debt {
  readonly id: string
  /** Of objects and of directories: all that is below them. */
  readonly paths: readonly string[]
  /** Those of them that are fixed and were only added to: what the copy has there is right, though it may be too little. */
  readonly written: readonly string[]
  /** When this process has seen it first, on its clock. */
  readonly since: number
}

export type Owed = Pick<Debt, 'paths'> & Partial<Pick<Debt, 'written'>>

/** What may be wrong with the copy at some path: it has what was deleted or changed, or it lacks what was written. */
export type Concern = 'changed' | 'written' | undefined

/** What is owed to the copy. As long as it is noted that the copy may be wrong somewhere, it is not asked about that. */
export class Debts {
  readonly #authority: Pick<ObjectStore, 'get' | 'list' | 'commit'>
  readonly #places: Pick<TierPlaces, 'unitOf'>
  readonly #log: Logger
  /** Of this process, from before they are noted until they are no more. */
  readonly #own = new Map<string, Debt>()
  /** As they were noted when somebody looked last. */
  #noted: ReadonlyMap<string, Debt> | undefined
  #lookedAt = -Infinity
  #failedAt = -Infinity

  constructor(authority: Pick<ObjectStore, 'get' | 'list' | 'commit'>, places: Pick<TierPlaces, 'unitOf'>, log: Logger) {
    this.#authority = authority
    this.#places = places
    this.#log = log
  }

  /** From now on the copy is not asked about these; for all processes once `note` is committed. */
  open({ paths, written = [] }: Owed): { readonly debt: Debt; readonly note: Change } {
    const debt = { id: `${Date.now().toString(36).padStart(9, '0')}-${randomBytes(8).toString('hex')}`, paths, written, since: performance.now() }
    this.#own.set(debt.id, debt)
    return { debt, note: { put: `${DIRECTORY}/${debt.id}`, data: Buffer.from(JSON.stringify({ paths, written })) } }
  }

  /** It was not noted, or is left to whoever looks. */
  leave({ id }: Debt): void {
    this.#own.delete(id)
  }

  /** It is paid. @throws StorageFailedError; then it is left */
  async settle({ id }: Debt, options?: AbortOptions): Promise<void> {
    try {
      await this.#authority.commit({ changes: [{ delete: `${DIRECTORY}/${id}` }] }, options)
    } finally {
      this.#own.delete(id)
    }
  }

  /** Who has waited for it in vain says so: for a while, what was noted last counts. */
  authorityFailed(): void {
    this.#failedAt = performance.now()
  }

  get isAuthorityFailing(): boolean {
    return performance.now() - this.#failedAt < FAILING
  }

  /** How the copy may be wrong about a path, or something below it. @throws StorageFailedError when nobody ever knew */
  async concern(path: string, options: AbortOptions = {}): Promise<Concern> {
    let concern: Concern
    for (const debts of [this.#own, await this.#look(options)]) {
      for (const { paths, written } of debts.values()) {
        for (const each of paths) {
          if (!touch(each, path)) continue
          if (!written.includes(each)) return 'changed'
          concern = 'written'
        }
      }
    }
    return concern
  }

  /** Whether this process is about to bring a path in line. */
  isOwn(path: string): boolean {
    return [...this.#own.values()].some(({ paths }) => paths.some((each) => touch(each, path)))
  }

  /**
   * Whether others owe something that was written where this tells of a change. They may put it into the copy after it was
   * deleted there, and leave it there, should they find it nowhere then: that tells a loss from a deletion.
   *
   * @throws StorageFailedError
   */
  async isBehind(debt: Debt, options: AbortOptions = {}): Promise<boolean> {
    const changed = debt.paths.filter((path) => !debt.written.includes(path) && this.#places.unitOf(path) !== undefined)
    if (changed.length === 0) return false
    const noted = await this.#read(options)
    return [...noted.values()].some(({ id, written }) => id !== debt.id && written.some((each) => changed.some((path) => touch(each, path))))
  }

  /** Sees to it that what is known is not old, should the authority not answer next. */
  refresh(): void {
    if (performance.now() - this.#lookedAt < FRESH) return
    this.#lookedAt = performance.now()
    this.#read({}).catch(() => {})
  }

  /** What is noted and nobody of this process is at, the oldest first. @throws StorageFailedError */
  async left(options: AbortOptions = {}): Promise<Debt[]> {
    return [...(await this.#read(options)).values()].filter(({ id }) => !this.#own.has(id))
  }

  /** As it was known last, where the authority does not answer: then it gives nothing new away either. */
  async #look(options: AbortOptions): Promise<ReadonlyMap<string, Debt>> {
    if (this.isAuthorityFailing && this.#noted !== undefined) return this.#noted
    try {
      return await this.#read(options)
    } catch (error) {
      options.signal?.throwIfAborted()
      if (this.#noted === undefined) throw error
      return this.#noted
    }
  }

  async #read(options: AbortOptions): Promise<ReadonlyMap<string, Debt>> {
    const known = this.#noted
    const noted = new Map<string, Debt>()
    for (let after: string | undefined; ;) {
      const ids: string[] = await this.#authority.list(DIRECTORY, { ...options, after, limit: PAGE })
      for (const id of ids) {
        const debt = known?.get(id) ?? this.#own.get(id) ?? (await this.#get(id, options))
        if (debt !== undefined) noted.set(id, debt)
      }
      after = ids.at(-1)
      if (ids.length < PAGE) break
    }
    this.#noted = noted
    this.#lookedAt = performance.now()
    return noted
  }

  async #get(id: string, options: AbortOptions): Promise<Debt | undefined> {
    const data = await this.#authority.get(`${DIRECTORY}/${id}`, options)
    if (data === undefined) return undefined
    try {
      const { paths, written } = JSON.parse(Buffer.from(data).toString()) as Partial<Owed>
      if (arePaths(paths)) return { id, paths, written: arePaths(written) ? written : [], since: performance.now() }
    } catch {}
    this.#log.error({ note: `${DIRECTORY}/${id}` }, 'a note for the copy can\'t be read: the copy is not asked about anything until it is gone')
    return { id, paths: [''], written: [], since: performance.now() }
  }
}

function arePaths(paths: readonly string[] | undefined): paths is readonly string[] {
  return Array.isArray(paths) && paths.every((path) => typeof path === 'string')
}
