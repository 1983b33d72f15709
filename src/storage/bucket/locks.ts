import { hash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { StorageFailedError } from '../errors.ts'
import type { AbortOptions } from '../object-store.ts'
import { inParallel } from '../parallel.ts'
import type { Bucket } from './bucket.ts'
import { keys } from './keys.ts'
import { HeldLocks, type Held, type LockRecord } from './held-locks.ts'
import { hasRunOut } from './lease-time.ts'
import { Register } from './register.ts'
import { Turns } from './turns.ts'

/** Locks in a bucket. Groups that share one wait for each other more often than they would have to. */
const STRIPES = 64
/** Between two looks at a lock that another process has, up to so long, in milliseconds. */
const LOOK_EVERY = 100
/** Whoever holds it longer, with all that others do before, is stuck. In milliseconds. */
const TIMEOUT = 60_000

/** What a commit was about to do whose process has died. */
export interface Unfinished {
  readonly locks: readonly string[]
  /** With all of its locks. */
  finish(held: Held): Promise<void>
  /** It had been done, or not begun. */
  forget(): Promise<void>
}

/**
 * Who is at work on what, among all processes: small objects that are only changed by who has seen them. A holder that
 * dies, or is cut off, has a lease that runs out. Who comes next finishes first what it was about to do.
 */
export class Locks {
  readonly #bucket: Bucket
  readonly #unfinished: (commit: string) => Promise<Unfinished | undefined>
  readonly #turns = new Turns()
  /** Etags of locks that we have given back: taking them again needs no look. */
  readonly #free = new Map<string, string>()

  constructor(bucket: Bucket, unfinished: (commit: string) => Promise<Unfinished | undefined>) {
    this.#bucket = bucket
    this.#unfinished = unfinished
  }

  /** Does `work` with the locks of these groups; undefined: of all. Commits of one process in the order in which they came. */
  async hold<T>(groups: Iterable<string | undefined>, { signal }: AbortOptions, work: (held: Held) => Promise<T>): Promise<T> {
    const names = stripesOf(groups)
    const leave = await this.#turns.take(names)
    let held: HeldLocks
    try {
      held = await this.#take(names, signal)
    } catch (error) {
      leave()
      throw error
    }
    try {
      return await work(held)
    } finally {
      // Nobody waits for it but who wants them next.
      void this.#release(held).finally(leave)
    }
  }

  /** Once nobody holds any. */
  async close(): Promise<void> {
    await this.#turns.idle()
  }

  /** Finishes what a process that died was about to do, which had this lock. */
  async recover(name: string, options: AbortOptions): Promise<void> {
    const found = await this.#register(name).read(options)
    const { commit } = found?.value ?? {}
    if (found !== undefined && commit !== undefined && isOver(found)) await this.#finish(commit, options.signal)
  }

  async #take(names: readonly string[], signal: AbortSignal | undefined): Promise<HeldLocks> {
    const deadline = performance.now() + TIMEOUT
    for (;;) {
      const held = new HeldLocks(randomUUID(), (name) => this.#register(name))
      try {
        const dead = await this.#takeAll(held, names, deadline, signal)
        if (dead === undefined) return held
        await this.#release(held)
        await this.#finish(dead, signal)
      } catch (error) {
        await this.#release(held)
        throw error
      }
    }
  }

  /** Gives the commit of a holder that has died, when one has, before all are taken. */
  async #takeAll(held: HeldLocks, names: readonly string[], deadline: number, signal: AbortSignal | undefined): Promise<string | undefined> {
    // All at once, which mostly succeeds; else what is taken in order cannot be waited for in a circle.
    const first = await inParallel(names, names.length, (name) => this.#try(held, name, signal))
    const missing = first.findIndex((outcome) => outcome !== 'taken')
    if (missing === -1) return undefined
    await this.#give(held, names.slice(missing))
    for (const name of names.slice(missing)) {
      for (;;) {
        const outcome = await this.#try(held, name, signal)
        if (outcome === 'taken') break
        if (outcome !== 'held') return outcome.dead
        if (performance.now() > deadline) throw new StorageFailedError(`others have been at work on what a commit wants to change for ${TIMEOUT / 1000} s`)
        await sleep(Math.random() * LOOK_EVERY)
        signal?.throwIfAborted()
      }
    }
    return undefined
  }

  async #try(held: HeldLocks, name: string, signal: AbortSignal | undefined): Promise<'taken' | 'held' | { readonly dead: string }> {
    const known = this.#free.get(name)
    this.#free.delete(name)
    if (known !== undefined && (await held.take(name, known, signal))) return 'taken'
    const found = await this.#register(name).read({ signal })
    const { commit } = found?.value ?? {}
    if (found !== undefined && commit !== undefined) {
      if (!isOver(found)) return 'held'
      if ((await this.#unfinished(commit)) !== undefined) return { dead: commit }
    }
    return (await held.take(name, found?.etag, signal)) ? 'taken' : 'held'
  }

  /** Takes over all locks of a commit whose holder has died, finishes it, and gives them back. */
  async #finish(commit: string, signal: AbortSignal | undefined): Promise<void> {
    const unfinished = await this.#unfinished(commit)
    if (unfinished === undefined) return
    const held = new HeldLocks(commit, (name) => this.#register(name))
    held.begin()
    try {
      for (const name of unfinished.locks.toSorted()) {
        const found = await this.#register(name).read({ signal })
        // Its locks are given back once all is done, and it begins once it has all: one that is another's says that there is nothing to do.
        if (found?.value.commit !== commit) {
          await unfinished.forget()
          held.end()
          return
        }
        if (!isOver(found) || !(await held.take(name, found.etag, signal))) return await sleep(Math.random() * LOOK_EVERY)
      }
      await unfinished.finish(held)
    } finally {
      await this.#release(held)
    }
  }

  async #release(held: HeldLocks): Promise<void> {
    await this.#give(held, held.names)
    held.stop()
  }

  async #give(held: HeldLocks, names: readonly string[]): Promise<void> {
    for (const [name, etag] of await held.give(names)) this.#free.set(name, etag)
  }

  #register(name: string): Register<LockRecord> {
    return new Register(this.#bucket, keys.lock(name), isLockRecord)
  }
}

function isOver({ value, age }: { readonly value: LockRecord; readonly age: number }): boolean {
  return value.abandoned === true || hasRunOut(age)
}

function isLockRecord(value: object): value is LockRecord {
  return !('commit' in value) || typeof value.commit === 'string'
}

function stripesOf(groups: Iterable<string | undefined>): string[] {
  const stripes = new Set<number>()
  for (const group of groups) {
    if (group === undefined) return Array.from({ length: STRIPES }, (_, index) => nameOf(index))
    stripes.add(Number.parseInt(hash('sha256', group).slice(0, 8), 16) % STRIPES)
  }
  return [...stripes].map(nameOf).sort()
}

function nameOf(stripe: number): string {
  return String(stripe).padStart(2, '0')
}
