import { BoundedMap } from '../../oci/bounded-map.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { StorageFailedError } from '../errors.ts'
import type { ObjectStore } from '../object-store.ts'
import type { Away } from './away.ts'
import type { Debts, Owed } from './debts.ts'
import type { PaymentOptions, Payments } from './payments.ts'
import type { TierPlaces, Unit } from './places.ts'
import { newUpload } from './transfer.ts'
import { objectsAt } from './walk.ts'

/** What is on its way into the copy. */
export interface Filling {
  /** Of the copy, while it grows. */
  readonly upload: string
  /** Bytes that it has. */
  readonly size: number
  /** When there is more, or it has ended. */
  next(): Promise<void>
  readonly hasEnded: boolean
  /** Others come first, when it was wanted. */
  readonly isQueued: boolean
}

/** What could not be copied is left alone for so long, in milliseconds; of so many it is known. */
const PATIENCE = 60_000
const MOST_FAILED = 1000

export interface FillsParts {
  readonly authority: ObjectStore
  readonly places: TierPlaces
  readonly away: Away
  readonly debts: Debts
  readonly payments: Payments
  readonly log: Logger
}

/** Copies into the copy what it was asked for and lacked, each once, in the background. */
export class Fills {
  readonly #parts: FillsParts
  readonly #running = new Map<string, OneFilling>()
  readonly #failed = new BoundedMap<true>(MOST_FAILED, PATIENCE)

  constructor(parts: FillsParts) {
    this.#parts = parts
  }

  of(unit: Unit): Filling | undefined {
    return this.#running.get(unit.path)
  }

  /** Unless it is under way, too much is, or it failed a while ago. */
  want(unit: Unit): void {
    const { away, debts, payments } = this.#parts
    if (away.reason !== undefined) return void away.look()
    if (this.#running.has(unit.path) || payments.jobs.isFull || this.#failed.get(unit.path) === true || debts.isOwn(unit.path)) return
    this.#begin(unit).work.catch(() => {})
  }

  /** What the copy has is wrong. @throws AwayError, StorageFailedError */
  async mend(unit: Unit): Promise<void> {
    const { away, payments } = this.#parts
    away.assertHere()
    if (payments.jobs.isFull) throw new StorageFailedError('too much is copied already')
    await this.#running.get(unit.path)?.work
    await this.#begin(unit, true).work
  }

  /** Joins what is under way. @throws AwayError, StorageFailedError */
  async bring(unit: Unit): Promise<void> {
    const running = this.#running.get(unit.path) ?? this.#begin(unit)
    await running.work
  }

  /** What may change and the copy lacks, as the authority has it by then; what a commit is about to bring is left to that. @returns how many. @throws AwayError, StorageFailedError */
  async align(paths: readonly string[]): Promise<number> {
    const { away, debts, payments } = this.#parts
    away.assertHere()
    const lacking = paths.filter((path) => !debts.isOwn(path))
    // Not as written: what we put there after somebody has deleted it is ours to take away again.
    if (lacking.length > 0) await payments.jobs.during(() => this.#pay({ paths: lacking, written: [] }))
    return lacking.length
  }

  #begin(unit: Unit, anew = false): OneFilling {
    const filling = new OneFilling(this.#parts.payments.jobs.isBusy)
    this.#running.set(unit.path, filling)
    filling.run(this.#parts.payments.jobs.during(() => this.#fill(unit, filling, anew)).finally(() => this.#running.delete(unit.path)))
    return filling
  }

  async #fill(unit: Unit, filling: OneFilling, anew: boolean): Promise<void> {
    const { log } = this.#parts
    try {
      const paths = [unit.path, ...(unit.digest === undefined ? await this.#linkedFrom(unit.path) : [])]
      const watching = unit.digest === undefined ? {} : { id: filling.upload, onProgress: (size: number) => filling.grow(size) }
      if (!(await this.#pay({ paths, written: anew ? [] : paths }, { ...watching, anew }))) throw new StorageFailedError(`the copy has no room for ${unit.path}`, { isFull: true })
      this.#failed.delete(unit.path)
    } catch (err) {
      log.debug({ err, path: unit.path }, 'could not be copied into the copy')
      this.#failed.set(unit.path, true)
      throw err
    }
  }

  async #pay(owed: Owed, options?: PaymentOptions): Promise<boolean> {
    const { authority, debts, payments } = this.#parts
    const { debt, note } = debts.open(owed)
    try {
      await authority.commit({ changes: [note] })
    } catch (error) {
      debts.leave(debt)
      throw error
    }
    return payments.pay(debt, options)
  }

  /** What is wanted with a repository, and may never be asked for: it may be in memory. */
  async #linkedFrom(path: string): Promise<string[]> {
    const { authority, places } = this.#parts
    return [...(await objectsAt(authority, path)).keys()].flatMap((each) => places.linkedFrom(each) ?? [])
  }
}

class OneFilling implements Filling {
  readonly upload: string = newUpload()
  work: Promise<void> = Promise.resolve()
  readonly isQueued: boolean
  size = 0
  hasEnded = false
  #more: PromiseWithResolvers<void> = Promise.withResolvers()

  constructor(isQueued: boolean) {
    this.isQueued = isQueued
  }

  run(work: Promise<void>): void {
    this.work = work
    const end = (): void => {
      this.hasEnded = true
      this.#more.resolve()
    }
    work.then(end, end)
  }

  grow(size: number): void {
    this.size = size
    this.#more.resolve()
    this.#more = Promise.withResolvers()
  }

  next(): Promise<void> {
    return this.#more.promise
  }
}
