import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../storage/object-store.ts'
import type { Logger } from '../../telemetry/logger.ts'

/** Roots that the network shall hear of, and when it last has. Times are in milliseconds since the epoch. */
export interface ProvideTimes {
  /** Those last provided before `before`, the longest ago first, at most `limit`. */
  due(before: number, limit: number): readonly CID[]
  provided(root: CID, at: number, options?: AbortOptions): Promise<void>
}

export interface ProviderOptions {
  readonly queue: ProvideTimes
  /** Tells the network that the DAG is here. */
  readonly provide: (root: CID, options: AbortOptions) => Promise<void>
  /** Whether there is anybody to tell. */
  readonly online: () => boolean
  readonly log: Logger
  /** Milliseconds between two looks into the queue. @default 10000 */
  readonly interval?: number
}

/** A provider record lives 48 hours in the DHT; Kubo renews its own as often. */
const REPROVIDE_AFTER = 22 * 3_600_000
const LOOK_EVERY = 10_000
const LONGEST_PAUSE = 15 * 60_000
const AT_ONCE = 4
const BATCH = 32
/** Milliseconds that the network may take to hear of one root. */
const PROVIDE_TIMEOUT = 120_000

/** Tells the network of what is here: in the background, a few roots at a time, again before it forgets. */
export class Provider {
  readonly #options: ProviderOptions
  readonly #stopped = new AbortController()
  #round: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #pause: number

  constructor(options: ProviderOptions) {
    this.#options = options
    this.#pause = options.interval ?? LOOK_EVERY
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.#round = this.#look().finally(() => {
        if (!this.#stopped.signal.aborted) this.start()
      })
    }, this.#pause).unref()
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#stopped.abort()
    await this.#round
  }

  /** After a round in which nothing could be told, the next one is later. */
  async #look(): Promise<void> {
    const { queue, online, log, interval = LOOK_EVERY } = this.#options
    let told = 0
    let failed = 0
    const work = async (roots: Iterator<CID>): Promise<void> => {
      for (let next = roots.next(); next.done !== true; next = roots.next()) {
        if (this.#stopped.signal.aborted) return
        if (await this.#provide(next.value)) told++
        else failed++
      }
    }
    try {
      if (!online()) return
      const roots = queue.due(Date.now() - REPROVIDE_AFTER, BATCH).values()
      await Promise.all(Array.from({ length: AT_ONCE }, () => work(roots)))
    } catch (err) {
      failed++
      log.warn({ err }, 'roots to provide could not be read')
    }
    this.#pause = failed > 0 && told === 0 ? Math.min(this.#pause * 2, LONGEST_PAUSE) : interval
  }

  async #provide(root: CID): Promise<boolean> {
    const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(PROVIDE_TIMEOUT)])
    try {
      await this.#options.provide(root, { signal })
      await this.#options.queue.provided(root, Date.now(), { signal })
      return true
    } catch (err) {
      if (!this.#stopped.signal.aborted) this.#options.log.debug({ root: root.toString(), err }, 'a root could not be provided')
      return false
    }
  }
}
