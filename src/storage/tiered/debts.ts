import { randomBytes } from 'node:crypto'
import type { AbortOptions, Change, ObjectStore } from '../object-store.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { touch } from './places.ts'

/** Ours, in the authority: `disco/tier/<time>-<random>`, the paths at which the copy is still to become what the authority is. */
const DIRECTORY = 'disco/tier'
const PAGE = 1000
/** Milliseconds. */
const FRESH = 10_000

export interface Debt {
  readonly id: string
  /** Of objects and of directories: all that is below them. */
  readonly paths: readonly string[]
  /** When this process has seen it first, on its clock. */
  readonly since: number
}

/** What is owed to the copy. As long as it is noted that the copy may be wrong somewhere, it is not asked about that. */
export class Debts {
  readonly #authority: Pick<ObjectStore, 'get' | 'list' | 'commit'>
  readonly #log: Logger
  /** Of this process, from before they are noted until they are no more. */
  readonly #own = new Map<string, Debt>()
  /** As they were noted when somebody looked last. */
  #noted: ReadonlyMap<string, Debt> | undefined
  #lookedAt = -Infinity

  constructor(authority: Pick<ObjectStore, 'get' | 'list' | 'commit'>, log: Logger) {
    this.#authority = authority
    this.#log = log
  }

  /** From now on the copy is not asked about these; for all processes once `note` is committed. */
  open(paths: readonly string[]): { readonly debt: Debt; readonly note: Change } {
    const debt = { id: `${Date.now().toString(36).padStart(9, '0')}-${randomBytes(8).toString('hex')}`, paths, since: performance.now() }
    this.#own.set(debt.id, debt)
    return { debt, note: { put: `${DIRECTORY}/${debt.id}`, data: Buffer.from(JSON.stringify({ paths })) } }
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

  /** Whether the copy may be wrong about a path, or something below it. @throws StorageFailedError when nobody ever knew */
  async concern(path: string, options: AbortOptions = {}): Promise<boolean> {
    const isConcerned = ({ paths }: Debt): boolean => paths.some((each) => touch(each, path))
    if ([...this.#own.values()].some(isConcerned)) return true
    return [...(await this.#look(options)).values()].some(isConcerned)
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
      const { paths } = JSON.parse(Buffer.from(data).toString()) as { paths: readonly string[] }
      if (Array.isArray(paths) && paths.every((path) => typeof path === 'string')) return { id, paths, since: performance.now() }
    } catch {}
    this.#log.error({ note: `${DIRECTORY}/${id}` }, 'a note for the copy can\'t be read: the copy is not asked about anything until it is gone')
    return { id, paths: [''], since: performance.now() }
  }
}
