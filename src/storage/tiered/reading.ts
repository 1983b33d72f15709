import { DigestMismatchError, ObjectUnknownError } from '../errors.ts'
import type { AbortOptions, ChunkHashes, ObjectStat, ObjectStore, ReadOptions } from '../object-store.ts'
import { within, type Away } from './away.ts'
import type { Claims } from './claims.ts'
import { Cursor } from './cursor.ts'
import type { Debts } from './debts.ts'
import type { Fills } from './fills.ts'
import { Haste } from './haste.ts'
import type { TierPlaces, Unit } from './places.ts'
import type { Proofs } from './proofs.ts'

type Store = ObjectStore & ChunkHashes

export interface ReadingParts {
  readonly authority: Store
  readonly copy: Store
  readonly places: TierPlaces
  readonly first: 'copy' | 'authority'
  readonly away: Away
  readonly debts: Debts
  /** Undefined: what the copy lacks it goes on to lack. */
  readonly fills: Fills | undefined
  readonly proofs: Proofs
  readonly claims: Claims
}

/** Milliseconds that the copy may take where the authority could answer, and for the next piece of a stream. */
const LIMIT = 3000
/** … and where it has to read all of an object first. */
const LONG = 10 * 60 * 1000

/** Bytes that who reads rather waits for than asks the authority once more. */
const NEAR = 8 * 1024 * 1024

/** What the copy said: that it has it, that it has it not; undefined: nothing, or it was not asked. */
type Said<T> = { readonly has: T } | 'absent' | undefined

/** When the copy is asked: a repository of which it may lack a part, only when the authority has no answer. */
type Turn = 'first' | 'last' | 'never'

/** Answers from either, for what is fixed. Where the copy does not answer, the word of the authority counts. */
export class Reading {
  readonly #parts: ReadingParts
  readonly #haste = new Haste()

  constructor(parts: ReadingParts) {
    this.#parts = parts
  }

  /** @param isAbsent whether an answer says that there is nothing */
  async ask<T>(path: string, options: AbortOptions, ask: (store: Store, options: AbortOptions) => Promise<T>, isAbsent: (answer: T) => boolean): Promise<T> {
    const { authority, fills, debts } = this.#parts
    const unit = this.#unitOf(path)
    if (unit === undefined) return ask(authority, options)
    const askCopy = (): Promise<Said<T>> => this.#askCopy(options, ask, isAbsent)
    let turn = this.#isCopyFirst ? await this.#turnOf(unit, path, options) : undefined
    if (turn === 'first') {
      const said = await askCopy()
      if (typeof said === 'object') return said.has
      const answer = await ask(authority, options)
      if (said === 'absent' && !isAbsent(answer)) fills?.want(unit)
      return answer
    }
    debts.refresh()
    let failure: { readonly error: unknown } | undefined
    let answer: T | undefined
    try {
      answer = await ask(authority, options)
      if (!isAbsent(answer)) return answer
    } catch (error) {
      options.signal?.throwIfAborted()
      failure = { error }
      this.#authorityFailed()
    }
    turn ??= await this.#turnOf(unit, path, options)
    const said = turn === 'never' ? undefined : await askCopy()
    if (typeof said === 'object') return said.has
    if (failure !== undefined) throw failure.error
    return answer as T
  }

  stat(path: string, options: AbortOptions): Promise<ObjectStat | undefined> {
    const { copy, first, proofs, claims } = this.#parts
    const stat = async (store: Store, asking: AbortOptions): Promise<ObjectStat | undefined> => {
      const found = await store.stat(path, asking)
      const unit = found !== undefined && store === copy ? this.#unitOf(path) : undefined
      if (found === undefined || unit === undefined) return found
      if (!(await claims.isRight(path, found.size, asking))) return undefined
      if (first === 'copy') await proofs.checkSize(unit, found.size, asking)
      return found
    }
    return this.ask(path, options, stat, (found) => found === undefined)
  }

  get(path: string, options: AbortOptions): Promise<Uint8Array | undefined> {
    const { copy, proofs, claims } = this.#parts
    const get = async (store: Store, asking: AbortOptions): Promise<Uint8Array | undefined> => {
      const data = await (store === copy ? claims.get(path, asking) : store.get(path, asking))
      const unit = data !== undefined && store === copy ? this.#unitOf(path) : undefined
      if (data !== undefined && unit !== undefined) proofs.check(unit, data)
      return data
    }
    return this.ask(path, options, get, (data) => data === undefined)
  }

  /** The bytes of an object: where one breaks off, the other goes on. */
  async *read(path: string, options: ReadOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    const { authority, fills } = this.#parts
    const unit = this.#unitOf(path)
    if (unit === undefined) return yield* authority.read(path, options)
    const cursor = new Cursor(options)
    let turn = this.#isCopyFirst ? await this.#turnOf(unit, path, options) : undefined
    if (turn === 'first') {
      if (this.#haste.isSlow) return yield* this.#readPast(unit, path, options, cursor)
      const said = fills?.of(unit) === undefined ? yield* this.#readCopy(unit, path, options, cursor) : 'absent'
      if (typeof said === 'object') return
      if (said === 'absent' && fills !== undefined && (yield* this.#fillAndFollow(unit, path, options, cursor))) return
      return yield* cursor.isHeldUp ? this.#readPast(unit, path, options, cursor) : this.#readAuthority(path, options, cursor)
    }
    let failure: { readonly error: unknown } | undefined
    try {
      return yield* this.#readAuthority(path, options, cursor)
    } catch (error) {
      options.signal?.throwIfAborted()
      if (!(error instanceof ObjectUnknownError) || cursor.passed > 0) {
        failure = { error }
        this.#authorityFailed()
      }
    }
    cursor.stays = true
    turn ??= await this.#turnOf(unit, path, options)
    const said = turn === 'never' ? undefined : yield* this.#readCopy(unit, path, options, cursor)
    if (typeof said === 'object') return
    throw failure === undefined ? new ObjectUnknownError(path) : failure.error
  }

  /** Of either: the authority has them at hand more often. */
  async chunkHashes(path: string, options: AbortOptions = {}): Promise<Uint8Array> {
    const { authority, copy, away } = this.#parts
    try {
      return await authority.chunkHashes(path, options)
    } catch (error) {
      options.signal?.throwIfAborted()
      const unit = this.#unitOf(path)
      if (unit === undefined || (await this.#turnOf(unit, path, options)) === 'never') throw error
      return await away.ask((signal) => copy.chunkHashes(path, { signal }), { limit: LONG, signal: options.signal }).catch(() => {
        options.signal?.throwIfAborted()
        throw error
      })
    }
  }

  /** Whether an object can be had from the copy itself, now. */
  async hasInCopy(path: string, options: AbortOptions = {}): Promise<boolean> {
    const { proofs } = this.#parts
    const unit = this.#unitOf(path)
    if (unit === undefined) return false
    if ((await this.#turnOf(unit, path, options)) === 'never') return false
    const stat = async (store: Store, asking: AbortOptions): Promise<ObjectStat | undefined> => {
      const found = await store.stat(path, asking)
      if (found !== undefined) await proofs.checkSize(unit, found.size, asking)
      return found
    }
    const said = await this.#askCopy(options, stat, (found) => found === undefined)
    if (said === 'absent') this.#parts.fills?.want(unit)
    return typeof said === 'object'
  }

  async *#readAuthority(path: string, options: ReadOptions, cursor: Cursor): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of this.#parts.authority.read(path, { ...options, ...cursor.range })) {
      cursor.pass(chunk.byteLength)
      yield chunk
    }
  }

  /** The copy is slow, but may be the only one that has it. */
  async *#readPast(unit: Unit, path: string, options: ReadOptions, cursor: Cursor): AsyncGenerator<Uint8Array, void, void> {
    cursor.isHeldUp = false
    try {
      return yield* this.#haste.leave(this.#readAuthority(path, options, cursor))
    } catch (error) {
      options.signal?.throwIfAborted()
      this.#haste.stay(cursor)
      if (typeof (yield* this.#readCopy(unit, path, options, cursor)) !== 'object') throw error
    }
  }

  async *#readCopy(unit: Unit, path: string, options: ReadOptions, cursor: Cursor): AsyncGenerator<Uint8Array, Said<true>, void> {
    const { claims, away, proofs } = this.#parts
    const source = cursor.isWhole && unit.path === path ? proofs.read(unit, options) : claims.read(path, { ...options, ...cursor.range })
    try {
      yield* this.#watched(source, options, cursor)
      return { has: true }
    } catch (error) {
      options.signal?.throwIfAborted()
      if (error instanceof ObjectUnknownError) return cursor.passed === 0 ? 'absent' : undefined
      // Of what was given already, some may be wrong.
      if (error instanceof TypeError || error instanceof DigestMismatchError) throw error
      if (!cursor.isHeldUp) away.failed(error)
      return undefined
    }
  }

  /** Reads what is on its way into the copy, at the reader's own speed: so it is asked for once, however many want it. Whether all of it was read. */
  async *#fillAndFollow(unit: Unit, path: string, options: ReadOptions, cursor: Cursor): AsyncGenerator<Uint8Array, boolean, void> {
    const { authority, copy, fills } = this.#parts
    const stat = await authority.stat(path, options)
    if (stat === undefined) return false
    fills?.want(unit)
    const filling = unit.path === path ? fills?.of(unit) : undefined
    if (filling === undefined || filling.isQueued || cursor.at > filling.size + NEAR) return false
    const end = Math.min(stat.size, cursor.at + (cursor.left ?? Infinity))
    try {
      while (cursor.at < end) {
        const more = filling.next()
        if (filling.hasEnded) break
        if (filling.size <= cursor.at) await within(LIMIT, options.signal, () => more)
        else {
          const { at } = cursor
          yield* this.#watched(copy.uploads.read(filling.upload, { ...cursor.range, signal: options.signal }), options, cursor)
          // It is another upload, begun anew, that has less.
          if (cursor.at === at) break
        }
      }
      if (cursor.at >= end) return true
    } catch {
      // It is an object by now, or is not going to be: there are others to go on with.
      options.signal?.throwIfAborted()
    }
    if (cursor.isHeldUp || (await this.#turnOf(unit, path, options)) === 'never') return false
    return typeof (yield* this.#readCopy(unit, path, options, cursor)) === 'object'
  }

  /** Each piece has to come in time; how long its reader takes does not count. */
  async *#watched(source: AsyncIterable<Uint8Array>, { signal }: AbortOptions, cursor: Cursor): AsyncGenerator<Uint8Array, void, void> {
    const iterator = source[Symbol.asyncIterator]()
    let isStuck = true
    try {
      for (;;) {
        const since = performance.now()
        const next = await within(LIMIT, signal, () => iterator.next())
        isStuck = false
        if (next.done === true) return
        cursor.waited += performance.now() - since
        if (this.#parts.first === 'copy') this.#haste.check(cursor)
        cursor.pass(next.value.byteLength)
        yield next.value
        isStuck = true
      }
    } finally {
      const ended = iterator.return?.().then(undefined, () => {})
      if (!isStuck) await ended
    }
  }

  async #askCopy<T>(options: AbortOptions, ask: (store: Store, options: AbortOptions) => Promise<T>, isAbsent: (answer: T) => boolean): Promise<Said<T>> {
    const { copy, away } = this.#parts
    try {
      const answer = await away.ask((signal) => ask(copy, { signal }), { limit: LIMIT, signal: options.signal })
      return isAbsent(answer) ? 'absent' : { has: answer }
    } catch (error) {
      options.signal?.throwIfAborted()
      if (error instanceof TypeError) throw error
      return undefined
    }
  }

  /** While the authority is waited for in vain, too. */
  get #isCopyFirst(): boolean {
    const { first, debts } = this.#parts
    return first === 'copy' || debts.isAuthorityFailing
  }

  #authorityFailed(): void {
    if (this.#parts.first === 'authority') this.#parts.debts.authorityFailed()
  }

  async #turnOf(unit: Unit, path: string, { signal }: AbortOptions): Promise<Turn> {
    const { away, debts, proofs } = this.#parts
    if (away.reason !== undefined) {
      void away.look()
      return 'never'
    }
    if (proofs.isWrong(unit)) return 'never'
    try {
      const concern = await debts.concern(path, { signal })
      if (concern === undefined || (concern === 'written' && unit.digest !== undefined)) return 'first'
      return concern === 'written' ? 'last' : 'never'
    } catch {
      signal?.throwIfAborted()
      return 'never'
    }
  }

  #unitOf(path: string): Unit | undefined {
    const { places } = this.#parts
    return places.isShared(path) ? places.unitOf(path) : undefined
  }
}
