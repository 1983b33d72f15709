import { StorageFailedError } from '../errors.ts'
import { LEASE, RENEWAL } from './lease-time.ts'
import type { Register } from './register.ts'

/** What the object of a lock says. */
export interface LockRecord {
  /** Who has it; nobody without. */
  readonly commit?: string
  /** Its holder could not end what it began, and somebody else shall. */
  readonly abandoned?: boolean
}

/** Locks of one commit, while it has them. */
export interface Held {
  /** Names the commit. */
  readonly commit: string
  readonly names: readonly string[]
  /** Aborts when a lease runs out: nothing may be written from then on. */
  readonly signal: AbortSignal
  /** Before each write. @throws StorageFailedError when a lease has run out, which a process that was stopped hears late */
  assert(): void
  /** From now on until it has ended, others shall finish what is being done if this one does not. */
  begin(): void
  end(): void
}

export class HeldLocks implements Held {
  readonly commit: string
  readonly #register: (name: string) => Register<LockRecord>
  readonly #etags = new Map<string, string>()
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout
  #renewing: Promise<void> | undefined
  #until = Infinity
  #timeout: NodeJS.Timeout | undefined
  #begun = false

  constructor(commit: string, register: (name: string) => Register<LockRecord>) {
    this.commit = commit
    this.#register = register
    this.#timer = setInterval(() => void this.#renew(), RENEWAL)
  }

  get names(): readonly string[] {
    return [...this.#etags.keys()].toSorted()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  assert(): void {
    if (performance.now() > this.#until) this.#lose()
    this.signal.throwIfAborted()
  }

  begin(): void {
    this.#begun = true
  }

  end(): void {
    this.#begun = false
  }

  /** Takes one that has this etag, or is not there. */
  async take(name: string, etag: string | undefined, signal: AbortSignal | undefined): Promise<boolean> {
    const at = performance.now()
    const taken = await this.#register(name).swap({ commit: this.commit }, etag, { signal })
    if (taken === undefined) return false
    this.#etags.set(name, taken)
    this.#extend(Math.min(this.#until, at + LEASE))
    return true
  }

  /** Gives some back, to whoever shall finish what was begun. Their etags, of those that were still ours. */
  async give(names: readonly string[]): Promise<Map<string, string>> {
    await this.#renewing
    const given = new Map<string, string>()
    const record: LockRecord = this.#begun ? { commit: this.commit, abandoned: true } : {}
    await Promise.all(names.map(async (name) => {
      const etag = this.#etags.get(name)
      this.#etags.delete(name)
      // What fails here is no reason for the commit to fail: a lease runs out.
      const now = etag === undefined ? undefined : await this.#register(name).swap(record, etag, { signal: AbortSignal.timeout(LEASE) }).catch(() => undefined)
      if (now !== undefined && !this.#begun) given.set(name, now)
    }))
    return given
  }

  stop(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#timeout)
  }

  #extend(until: number): void {
    this.#until = until
    clearTimeout(this.#timeout)
    this.#timeout = setTimeout(() => this.#lose(), until - performance.now())
  }

  #lose(): void {
    this.stop()
    this.#controller.abort(new StorageFailedError('a commit went on for longer than it may without a sign of life; whoever comes next finishes it'))
  }

  #renew(): Promise<void> {
    return (this.#renewing ??= this.#renewAll().finally(() => {
      this.#renewing = undefined
    }))
  }

  async #renewAll(): Promise<void> {
    const at = performance.now()
    try {
      await Promise.all([...this.#etags].map(async ([name, etag]) => {
        const renewed = await this.#register(name).swap({ commit: this.commit }, etag, { signal: this.signal })
        if (renewed === undefined) throw new Error('taken over')
        this.#etags.set(name, renewed)
      }))
      if (!this.signal.aborted) this.#extend(at + LEASE)
    } catch {
      // Lost, or not to be renewed: it runs out, and `assert` says so.
    }
  }
}
