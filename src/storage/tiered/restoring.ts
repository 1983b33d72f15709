import { ConflictError, DigestMismatchError } from '../errors.ts'
import type { AbortOptions, Change, ChunkHashes, ObjectStore } from '../object-store.ts'
import { inParallel } from '../parallel.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Away } from './away.ts'
import type { Claims } from './claims.ts'
import type { Debts } from './debts.ts'
import type { TierPlaces, Unit } from './places.ts'
import { drop, SourceFailedError, transfer } from './transfer.ts'
import { AT_ONCE, namesIn, objectsAt } from './walk.ts'

export interface RestoringParts {
  readonly authority: ObjectStore & ChunkHashes
  readonly copy: ObjectStore & ChunkHashes
  readonly places: TierPlaces
  readonly away: Away
  readonly debts: Debts
  readonly claims: Claims
  readonly log: Logger
}

type Put = Extract<Change, { readonly put: string }>

interface Found {
  readonly put: string
  /** Undefined where it is not what its path says. */
  readonly data: Uint8Array | undefined
}

/** Milliseconds that the copy may take to look at something. */
const LOOK = 10_000

/**
 * Brings back to the authority what only the copy has. First the authority has to lack it, then no note may be against it,
 * and then the copy has to have it: what was deleted is noted in the same commit, and gone in the copy before its note is.
 */
export class Restoring {
  readonly #parts: RestoringParts
  readonly #running = new Map<string, Promise<boolean>>()

  constructor(parts: RestoringParts) {
    this.#parts = parts
  }

  /** Whether something came back; one at a time. @throws AwayError, StorageFailedError */
  async unit(unit: Unit, options: AbortOptions = {}): Promise<boolean> {
    const running = this.#running.get(unit.path)
    if (running !== undefined) return running
    const work = (unit.digest === undefined ? this.#directory(unit.path, options) : this.#object(unit, options)).finally(() => this.#running.delete(unit.path))
    this.#running.set(unit.path, work)
    return work
  }

  /** What may change comes back where nothing of it is left. Whether it did. @throws AwayError, StorageFailedError */
  async name(directory: string, options: AbortOptions = {}): Promise<boolean> {
    const { authority, copy, places, debts, log } = this.#parts
    const parts = (await this.#lookAt((signal) => namesIn(copy, directory, { signal }), options)).map((name) => `${directory}/${name}`).filter((path) => places.nameOf(path) === directory)
    for (const path of parts) if ((await objectsAt(authority, path, options)).size > 0) return false
    if (parts.length === 0 || (await debts.concern(directory, options)) !== undefined) return false
    const changes = (await inParallel(parts, AT_ONCE, (path) => this.#below(path, new Map(), options))).flatMap(rightOf)
    if (changes.length === 0) return false
    try {
      await authority.commit({ expect: parts.map((path) => ({ directory: path, names: [] })), changes: this.#ordered(changes) }, options)
    } catch (error) {
      if (error instanceof ConflictError) return false
      throw error
    }
    log.info({ path: directory }, 'the copy gave back what the authority had lost')
    return true
  }

  async #object({ path, digest }: Unit, options: AbortOptions): Promise<boolean> {
    const { authority, copy, away, debts, log } = this.#parts
    if (digest === undefined || (await authority.stat(path, options)) !== undefined || (await debts.concern(path, options)) === 'changed') return false
    if ((await this.#lookAt((signal) => copy.stat(path, { signal }), options)) === undefined) return false
    try {
      const upload = await transfer(authority, { source: copy.read(path, options), path, digest, signal: options.signal })
      await authority.commit({ uploads: [upload] }, options).catch(async (error: unknown) => {
        await drop(authority, upload.id)
        throw error
      })
    } catch (error) {
      options.signal?.throwIfAborted()
      if (error instanceof SourceFailedError) {
        away.failed(error.cause)
        throw error.cause
      }
      if (!(error instanceof DigestMismatchError)) throw error
      log.error({ err: error, path }, 'what the copy has is not what it should be, and is not given back')
      return false
    }
    log.info({ path }, 'the copy gave back what the authority had lost')
    return true
  }

  async #directory(path: string, options: AbortOptions): Promise<boolean> {
    const { authority, debts, log } = this.#parts
    const here = await objectsAt(authority, path, options)
    if ((await debts.concern(path, options)) !== undefined) return false
    const lost = await this.#below(path, here, options)
    if (lost.length === 0) return false
    const changes = rightOf(lost)
    const areProven = await inParallel(changes, AT_ONCE, (change) => this.#isProven(change, here, options))
    // What is there is there as a whole: nothing of it comes without the rest.
    if (changes.length < lost.length || areProven.includes(false)) {
      log.error({ path }, 'what the copy has is not what its path says, and is not given back')
      return false
    }
    await authority.commit({ changes: this.#ordered(changes) }, options)
    log.info({ path }, 'the copy gave back what the authority had lost')
    return true
  }

  /** Also by what the authority has of it still: that comes before what the copy says. */
  async #isProven({ put, data }: Put, here: ReadonlyMap<string, unknown>, options: AbortOptions): Promise<boolean> {
    const { authority, places } = this.#parts
    const claim = places.claimOf(put)
    if (claim?.by === undefined || !here.has(claim.by)) return true
    return claim.proves(data, await authority.get(claim.by, options))
  }

  /** What the copy has there and is not here. */
  async #below(path: string, here: ReadonlyMap<string, unknown>, options: AbortOptions): Promise<Found[]> {
    const { copy, claims } = this.#parts
    const found = await this.#lookAt((signal) => objectsAt(copy, path, { signal }), options)
    const lost = [...found.keys()].filter((each) => !here.has(each))
    return inParallel(lost, AT_ONCE, async (put) => ({ put, data: await this.#lookAt((signal) => claims.get(put, { signal }), options) }))
  }

  #ordered<T extends { readonly put: string }>(changes: readonly T[]): T[] {
    const { places } = this.#parts
    return [...changes.filter(({ put }) => !places.reveals(put)), ...changes.filter(({ put }) => places.reveals(put))]
  }

  #lookAt<T>(work: (signal: AbortSignal) => Promise<T>, { signal }: AbortOptions): Promise<T> {
    return this.#parts.away.ask(work, { limit: LOOK, signal })
  }
}

function rightOf(found: readonly Found[]): Put[] {
  return found.flatMap(({ put, data }) => (data === undefined ? [] : [{ put, data }]))
}
