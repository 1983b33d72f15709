import type { Logger } from './logger.ts'
import { reasonOf } from './reason.ts'

/** @throws Error that says what is wrong */
export type Probe = (signal: AbortSignal) => Promise<void>

export interface CheckOptions {
  /** Milliseconds for which an answer holds. @default 10000 */
  readonly interval?: number | undefined
  /** Failures in a row that count. @default 1 */
  readonly threshold?: number | undefined
  /** Milliseconds that an answer may take. @default 5000 */
  readonly timeout?: number | undefined
  /** Whether requests had better come all the same: it is told of, and that is all. @default false */
  readonly advisory?: boolean | undefined
}

/** Out of rotation by hand, and in again: Distribution's `/debug/health/down` and `/debug/health/up`. */
export type Rotation = 'down' | 'up'

const INTERVAL = 10_000
const TIMEOUT = 5000

/**
 * Whether requests had better come here. A check is made when somebody asks and the last answer is too old, once for
 * all who ask: a registry that nobody watches does nothing.
 */
export class Health {
  readonly #checks = new Map<string, Check>()
  readonly #log: Logger
  #stopping = false
  #rotation: Rotation = 'up'

  constructor(log: Logger) {
    this.#log = log
  }

  add(name: string, probe: Probe, options?: CheckOptions): void {
    this.#checks.set(name, new Check(name, probe, options, this.#log))
  }

  /** From now on nothing shall come any more. */
  stop(): void {
    this.#stopping = true
  }

  set rotation(rotation: Rotation) {
    this.#rotation = rotation
  }

  /** For what reasons requests had better not come, by the names of the checks; nothing when all is well. */
  async failures(): Promise<Readonly<Record<string, string>>> {
    if (this.#stopping) return { stopping: 'the registry is stopping' }
    const failed = await this.#failed(false)
    return Object.fromEntries(this.#rotation === 'up' ? failed : [...failed, ['manual_http_status', 'manual Check']])
  }

  /** What is wrong, and requests had better come all the same. */
  async advice(): Promise<Readonly<Record<string, string>>> {
    return Object.fromEntries(await this.#failed(true))
  }

  async #failed(advisory: boolean): Promise<(readonly [string, string])[]> {
    const checks = [...this.#checks.values()].filter((check) => check.advisory === advisory)
    const failures = await Promise.all(checks.map(async (check) => [check.name, await check.failure()] as const))
    return failures.filter((entry): entry is readonly [string, string] => entry[1] !== undefined)
  }
}

class Check {
  readonly name: string
  readonly advisory: boolean
  readonly #probe: Probe
  readonly #interval: number
  readonly #threshold: number
  readonly #timeout: number
  readonly #log: Logger
  #last: { readonly at: number; readonly done: Promise<void> } | undefined
  #failed = 0
  #failure: string | undefined

  constructor(name: string, probe: Probe, { interval = INTERVAL, threshold = 1, timeout = TIMEOUT, advisory = false }: CheckOptions = {}, log: Logger) {
    this.name = name
    this.advisory = advisory
    this.#probe = probe
    this.#interval = interval
    this.#threshold = Math.max(1, threshold)
    this.#timeout = timeout
    this.#log = log
  }

  async failure(): Promise<string | undefined> {
    if (this.#last === undefined || performance.now() - this.#last.at >= this.#interval) {
      this.#last = { at: performance.now(), done: this.#look() }
    }
    await this.#last.done
    return this.#failed >= this.#threshold ? this.#failure : undefined
  }

  async #look(): Promise<void> {
    try {
      await within(this.#timeout, this.#probe)
      this.#failed = 0
    } catch (err) {
      this.#failed++
      this.#failure = reasonOf(err)
      this.#log.warn({ check: this.name, err }, 'a health check failed')
    }
  }
}

/** Also where the probe does not look at its signal. */
async function within(ms: number, probe: Probe): Promise<void> {
  const stop = new AbortController()
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    const reason = new Error(`no answer within ${ms / 1000} s`)
    stop.abort(reason)
    late.reject(reason)
  }, ms)
  try {
    await Promise.race([probe(stop.signal), late.promise])
  } finally {
    clearTimeout(timer)
  }
}
