import { StorageFailedError, UploadUnknownError } from '../errors.ts'
import { assertDirectory, assertPath } from '../object-path.ts'
import type {
  AbortOptions, Batch, ChunkHashes, FinishedUpload, ListOptions, ObjectReader, ObjectStat, ObjectStore, ReadOptions, UploadStore,
} from '../object-store.ts'
import { untilAborted } from '../../oci/until-aborted.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { Away } from './away.ts'
import { Claims } from './claims.ts'
import { Copying } from './copying.ts'
import { Debts, type Owed } from './debts.ts'
import { Fills } from './fills.ts'
import { healAll, lostIn, partsMissingIn, type Lost } from './healing.ts'
import { Payments } from './payments.ts'
import { outermost, touch, type TierPlaces, type Unit } from './places.ts'
import { Proofs } from './proofs.ts'
import { Reading } from './reading.ts'
import { Restoring } from './restoring.ts'
import { TierRounds } from './tier-rounds.ts'
import { drop, newUpload, transfer } from './transfer.ts'
import { PATIENCE, Turn } from './turn.ts'

type Store = ObjectStore & ChunkHashes

/** Milliseconds that the copy may take to give a page of names. */
const SURVEY = 60_000

export interface TieredStoreParts {
  /** Has the uploads, decides expectations, and has all that is not shared. Its owner closes it. */
  readonly authority: Store
  /** May lack anything at any time. Its owner closes it. */
  readonly copy: Store
  readonly places: TierPlaces
  /** Who is asked first for what is fixed. */
  readonly first: 'copy' | 'authority'
  /** A commit whose part for the copy fails is an error, and processes change the copy one at a time. @default false */
  readonly strict?: boolean | undefined
  /** Nothing is written to heal one of the two. @default false */
  readonly readonly?: boolean | undefined
  /** Milliseconds of silence after which another process takes the turn to change the copy over. @default 10,000 */
  readonly patience?: number | undefined
  readonly log: Logger
}

/**
 * One store over two. The authority has everything, decides everything and has the uploads; the copy has what is shared as
 * well, or lacks of it whatever it lacks. A commit is done in the authority with a note of what the copy owes, and then in
 * the copy. What is fixed is read from either.
 */
export class TieredStore implements ObjectStore, ChunkHashes {
  readonly uploads: UploadStore
  readonly #parts: TieredStoreParts
  readonly #reads: Away
  readonly #writes: Away
  readonly #turn: Turn | undefined
  readonly #debts: Debts
  readonly #payments: Payments
  readonly #fills: Fills
  readonly #reading: Reading
  readonly #restoring: Restoring
  readonly #rounds: TierRounds

  constructor(parts: TieredStoreParts) {
    const { authority, copy, places, first, strict = false, readonly = false, patience, log } = parts
    this.#parts = parts
    this.uploads = authority.uploads
    const look = (signal: AbortSignal): Promise<unknown> => copy.list(places.root, { limit: 1, signal })
    this.#reads = new Away({ what: 'read', look, log })
    this.#writes = new Away({ what: 'written', look, log })
    this.#debts = new Debts(authority, places, log)
    this.#turn = strict ? new Turn(authority, { patience }) : undefined
    const copying = new Copying({ authority, copy, places, away: this.#writes, turn: this.#turn, isCache: first === 'copy' })
    this.#payments = new Payments(copying, this.#debts, log)
    this.#fills = new Fills({ authority, places, away: this.#writes, debts: this.#debts, payments: this.#payments, log })
    const claims = new Claims({ copy, places, log })
    const mend = async (unit: Unit): Promise<void> => (readonly ? Promise.reject(new StorageFailedError('nothing is written')) : this.#fills.mend(unit))
    const proofs = new Proofs({ authority, copy, mend, log })
    this.#reading = new Reading({ authority, copy, places, first, away: this.#reads, debts: this.#debts, fills: readonly ? undefined : this.#fills, proofs, claims })
    this.#restoring = new Restoring({ authority, copy, places, away: this.#reads, debts: this.#debts, claims, log })
    this.#rounds = new TierRounds({
      look: async () => void (await Promise.all([this.#reads.look(), this.#writes.look()])),
      isAway: () => this.away !== undefined,
      pay: (options) => this.pay(options),
      heal: (options) => this.heal(options),
      log,
    })
  }

  /** Why the copy is left alone now; undefined: it is not. */
  get away(): string | undefined {
    return this.#reads.reason ?? this.#writes.reason
  }

  /** For health: fails while the copy is left alone. */
  async probe(): Promise<void> {
    await Promise.all([this.#reads.look(), this.#writes.look()])
    if (this.away !== undefined) throw new Error(this.away)
  }

  /** Begins what one process does for all: works off what is owed to the copy, and brings back what one of the two has lost. */
  start(): void {
    if (this.#parts.readonly !== true) this.#rounds.start()
  }

  stop(): Promise<void> {
    return this.#rounds.stop()
  }

  /** Once nothing goes on beside the requests any more. */
  async idle(): Promise<void> {
    await this.#payments.jobs.idle()
    await this.#turn?.idle()
  }

  /** Ends what goes on beside the requests; what is owed stays noted. The two stores stay open. */
  async close(): Promise<void> {
    await this.#rounds.stop()
    await this.#payments.jobs.stop()
    await this.#turn?.idle()
  }

  /** Whether an object can be had from the copy itself, now. Whatever fails: no. */
  async hasInCopy(path: string, options: AbortOptions = {}): Promise<boolean> {
    return this.#reading.hasInCopy(path, options)
  }

  /** Brings what a path is, or is in, to the one of the two that lacks it. Whether there was something to bring. @throws AwayError, StorageFailedError */
  async restore(path: string, options: AbortOptions = {}): Promise<boolean> {
    const { places, authority, copy, readonly = false } = this.#parts
    const unit = places.isShared(path) ? places.unitOf(path) : undefined
    if (unit === undefined || readonly) return false
    if (await untilAborted(this.#restoring.unit(unit), options.signal)) return true
    if ((await authority.stat(path, options)) === undefined) return false
    const missing = await this.#reads.ask(async (signal) => (await copy.stat(path, { signal })) === undefined, { limit: 10_000, signal: options.signal })
    if (missing) await untilAborted(this.#fills.bring(unit), options.signal)
    return missing
  }

  /** Pays what processes left that died, or could not reach the copy. @returns whether nothing is owed any more. @throws AwayError, StorageFailedError */
  async pay(options: AbortOptions = {}): Promise<boolean> {
    const { strict = false, patience = PATIENCE } = this.#parts
    const left = await this.#debts.left(options)
    // What is new, the process whose it is is about to pay.
    const old = left.filter(({ since }) => performance.now() - since >= (strict ? patience / 2 : 0))
    return (await this.#payments.payAll(old, options)) && old.length === left.length
  }

  /**
   * Brings back what only the copy has, and the copy what it lacks of names: nobody who reads brings that. Where the
   * authority is asked first, the copy is more than a cache, and gets all. @returns how many units, names, and parts of names
   */
  async heal(options: AbortOptions = {}): Promise<number> {
    const { authority, places, first, readonly = false, log } = this.#parts
    if (readonly) return 0
    const copy = this.#surveyed
    const back = async (lost: Lost): Promise<number> => {
      if ('unit' in lost) return Number(await this.#restoring.unit(lost.unit, options))
      return 'name' in lost ? Number(await this.#restoring.name(lost.name, options)) : 0
    }
    const forth = async (lost: Lost): Promise<number> => {
      if ('parts' in lost) return this.#fills.align(lost.parts)
      if ('name' in lost) return 0
      await this.#fills.bring(lost.unit)
      return 1
    }
    let healed = await healAll(lostIn(authority, copy, places, options), back, log)
    if (first === 'authority') healed += await healAll(lostIn(copy, authority, places, options), forth, log)
    return healed + (await healAll(partsMissingIn(copy, authority, places, options), forth, log))
  }

  /** The copy, for who looks through all of it. */
  get #surveyed(): ObjectReader {
    const { copy } = this.#parts
    const ask = <T>(work: (asking: AbortOptions) => Promise<T>, { signal }: AbortOptions = {}): Promise<T> => this.#reads.ask((asking) => work({ signal: asking }), { limit: SURVEY, signal })
    return {
      stat: (path, options) => ask((asking) => copy.stat(path, asking), options),
      get: (path, options) => ask((asking) => copy.get(path, asking), options),
      list: (directory, options) => ask((asking) => copy.list(directory, { ...options, ...asking }), options),
    }
  }

  async stat(path: string, options: AbortOptions = {}): Promise<ObjectStat | undefined> {
    assertPath(path)
    return this.#reading.stat(path, options)
  }

  async get(path: string, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    assertPath(path)
    return this.#reading.get(path, options)
  }

  async *read(path: string, options: ReadOptions = {}): AsyncGenerator<Uint8Array, void, void> {
    assertPath(path)
    yield* this.#reading.read(path, options)
  }

  async list(directory: string, options: ListOptions = {}): Promise<string[]> {
    assertDirectory(directory)
    return this.#reading.ask(directory, options, (store, asking) => store.list(directory, { ...options, ...asking }), (names) => names.length === 0)
  }

  async chunkHashes(path: string, options: AbortOptions = {}): Promise<Uint8Array> {
    assertPath(path)
    return this.#reading.chunkHashes(path, options)
  }

  async commit(batch: Batch, options: AbortOptions = {}): Promise<void> {
    const { authority, places, strict = false } = this.#parts
    const { expect = [], uploads = [], changes = [] } = batch
    const shared = {
      uploads: uploads.filter(({ path }) => places.isShared(path)),
      changes: changes.filter((change) => places.isShared('put' in change ? change.put : change.delete)),
    }
    if (shared.uploads.length + shared.changes.length === 0) return authority.commit(batch, options)
    // Before anything has changed.
    if (strict) {
      await this.#writes.assertAnswers(options.signal).catch((cause: unknown) => {
        options.signal?.throwIfAborted()
        throw new StorageFailedError('the copy takes no changes', { cause, summary: 'the second storage does not answer' })
      })
    }
    const { debt, note } = this.#debts.open(owedFor(shared, places))
    let ready: readonly FinishedUpload[]
    try {
      ready = await this.#commit(authority, { expect, uploads, changes: [note, ...changes] }, options)
    } catch (error) {
      this.#debts.leave(debt)
      throw error
    }
    const known = { ...shared, ready: ready.filter(({ path }) => places.isShared(path)) }
    if (!strict) return this.#payments.payLater(debt, known)
    try {
      await untilAborted(this.#payments.pay(debt, { known, settleLater: true }), options.signal)
    } catch (cause) {
      options.signal?.throwIfAborted()
      if (cause instanceof StorageFailedError) throw cause
      throw new StorageFailedError('the copy could not be brought in line', { cause, summary: 'the second storage does not answer' })
    }
  }

  /** Takes over uploads that only the copy has, which are given back: the copy can commit them itself. */
  async #commit(authority: Store, batch: Batch, options: AbortOptions): Promise<readonly FinishedUpload[]> {
    try {
      await authority.commit(batch, options)
      return []
    } catch (error) {
      if (!(error instanceof UploadUnknownError) || this.#writes.reason !== undefined) throw error
      const { uploads = [] } = batch
      const taken = new Map<FinishedUpload, FinishedUpload>()
      try {
        for (const upload of uploads) if (await this.#isOnlyInCopy(upload, options)) taken.set(upload, await this.#takeOver(upload, options))
        if (taken.size === 0) throw error
        await authority.commit({ ...batch, uploads: uploads.map((upload) => taken.get(upload) ?? upload) }, options)
        return [...taken.keys()]
      } catch (failure) {
        for (const { id } of taken.values()) await drop(authority, id)
        throw failure
      }
    }
  }

  async #isOnlyInCopy({ id }: FinishedUpload, options: AbortOptions): Promise<boolean> {
    const { authority, copy } = this.#parts
    if ((await authority.uploads.stat(id, options)) !== undefined) return false
    return (await this.#writes.ask((signal) => copy.uploads.stat(id, { signal }), { limit: 10_000, signal: options.signal })) !== undefined
  }

  #takeOver({ id, path, digest }: FinishedUpload, { signal }: AbortOptions): Promise<FinishedUpload> {
    const { authority, copy } = this.#parts
    return transfer(authority, { source: copy.uploads.read(id, { signal }), path, digest, id: newUpload(), signal })
  }
}

/** Of what is fixed, what was only put. */
function owedFor({ uploads, changes }: Required<Pick<Batch, 'uploads' | 'changes'>>, places: TierPlaces): Owed {
  const unitAt = (path: string): string => places.unitOf(path)?.path ?? path
  const put = [...uploads.map(({ path }) => path), ...changes.flatMap((change) => ('put' in change ? [change.put] : []))]
  const gone = changes.flatMap((change) => ('put' in change ? [] : [change.delete]))
  const paths = outermost([...put, ...gone].map(unitAt))
  const fixed = new Set(put.filter((path) => places.unitOf(path) !== undefined).map(unitAt))
  return { paths, written: paths.filter((path) => fixed.has(path) && !gone.some((each) => touch(each, path))) }
}
