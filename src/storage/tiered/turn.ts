import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConflictError, StorageFailedError } from '../errors.ts'
import type { AbortOptions, ObjectStore } from '../object-store.ts'

/** Ours, in the authority: who of all processes has the turn. */
const HOLDER = 'disco/turns/tier'
/** Milliseconds of silence after which another takes over. */
export const PATIENCE = 10_000
/** Who has it and more to do goes on for so long, in milliseconds: to take it costs more than most of what is done in it. */
const AT_A_STRETCH = 1000
/** Between two looks at who has it, up to so long, in milliseconds. */
const LOOK_EVERY = 200
/** Who waits longer is told so, in milliseconds. */
const TIMEOUT = 60_000

type Authority = Pick<ObjectStore, 'get' | 'commit'>

/**
 * One at a time, of all processes: a small object that only who has seen it changes. Silence is measured by whoever waits,
 * with its own clock: those of machines need not agree. Who could not say in time that it is alive ends what it does.
 */
export class Turn {
  readonly #authority: Authority
  readonly #patience: number
  #waiting = 0
  #last: Promise<unknown> = Promise.resolve()
  #lease: Lease | undefined

  constructor(authority: Authority, { patience = PATIENCE }: { readonly patience?: number | undefined } = {}) {
    this.#authority = authority
    this.#patience = patience
  }

  /** In the order in which they came. @throws StorageFailedError when it is not had in time, or was lost */
  async hold<T>(work: (signal: AbortSignal) => Promise<T>, { signal }: AbortOptions = {}): Promise<T> {
    this.#waiting++
    const before = this.#last
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#last = promise
    try {
      await before
      this.#waiting--
      signal?.throwIfAborted()
      const lease = (this.#lease ??= await Lease.take(this.#authority, this.#patience, signal))
      return await work(lease.signal)
    } finally {
      const lease = this.#lease
      if (lease !== undefined && (this.#waiting === 0 || lease.signal.aborted || lease.age > AT_A_STRETCH)) {
        this.#lease = undefined
        // Nobody waits for it but who is next.
        void lease.release().finally(resolve)
      } else resolve()
    }
  }

  /** Once nobody has it, nor waits for it. */
  async idle(): Promise<void> {
    await this.#last
  }
}

class Lease {
  readonly #authority: Authority
  readonly #patience: number
  readonly #holder = randomUUID()
  readonly #since = performance.now()
  readonly #lost = new AbortController()
  #data: Uint8Array = new Uint8Array()
  #beats = 0
  #end: NodeJS.Timeout | undefined
  #next: NodeJS.Timeout | undefined
  #beating: Promise<void> | undefined

  private constructor(authority: Authority, patience: number) {
    this.#authority = authority
    this.#patience = patience
  }

  static async take(authority: Authority, patience: number, signal: AbortSignal | undefined): Promise<Lease> {
    const lease = new Lease(authority, patience)
    const deadline = performance.now() + TIMEOUT
    let seen: { readonly data: Uint8Array; readonly since: number } | undefined
    for (;;) {
      const data = await authority.get(HOLDER, { signal })
      if (data !== undefined && (seen === undefined || Buffer.compare(data, seen.data) !== 0)) seen = { data, since: performance.now() }
      if (data === undefined || (seen !== undefined && performance.now() - seen.since > patience)) {
        if (await lease.#write(data, signal)) return lease
      }
      if (performance.now() > deadline) throw new StorageFailedError(`others have been changing the copy for ${TIMEOUT / 1000} s`)
      await sleep(Math.random() * LOOK_EVERY, undefined, { signal })
    }
  }

  /** Aborts when it may be another's. */
  get signal(): AbortSignal {
    return this.#lost.signal
  }

  /** In milliseconds. */
  get age(): number {
    return performance.now() - this.#since
  }

  /** What fails here is no reason to fail: it runs out. */
  async release(): Promise<void> {
    clearTimeout(this.#next)
    await this.#beating
    clearTimeout(this.#next)
    clearTimeout(this.#end)
    await this.#authority.commit({ expect: [{ path: HOLDER, data: this.#data }], changes: [{ delete: HOLDER }] }).catch(() => {})
  }

  /** Whether it is ours, and was `expected` before. */
  async #write(expected: Uint8Array | undefined, signal?: AbortSignal): Promise<boolean> {
    const begun = performance.now()
    const data = Buffer.from(JSON.stringify({ holder: this.#holder, beats: ++this.#beats }))
    try {
      await this.#authority.commit({ expect: [{ path: HOLDER, data: expected }], changes: [{ put: HOLDER, data }] }, { signal })
    } catch (error) {
      if (error instanceof ConflictError) return false
      throw error
    }
    this.#data = data
    clearTimeout(this.#end)
    // Others wait from when they have seen it, which is later.
    this.#end = setTimeout(() => this.#lose(), Math.max(0, begun + 0.7 * this.#patience - performance.now())).unref()
    this.#next = setTimeout(() => void (this.#beating = this.#beat()), this.#patience / 4).unref()
    return true
  }

  async #beat(): Promise<void> {
    try {
      if (!(await this.#write(this.#data))) this.#lose()
    } catch {
      this.#next = setTimeout(() => void (this.#beating = this.#beat()), this.#patience / 10).unref()
    }
  }

  #lose(): void {
    this.#lost.abort(new StorageFailedError('the turn to change the copy was lost'))
  }
}
