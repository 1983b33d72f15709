import { setTimeout as sleep } from 'node:timers/promises'

/** Work beside the requests, a bounded number at once, and what waits for it bounded too. */
export class Jobs {
  readonly #atOnce: number
  readonly #most: number
  readonly #stopped = new AbortController()
  readonly #waiting: (() => void)[] = []
  #running = 0
  #underWay = 0
  #idle: PromiseWithResolvers<void> | undefined
  #spare: PromiseWithResolvers<void> = Promise.withResolvers()

  constructor(atOnce: number, most: number) {
    this.#atOnce = atOnce
    this.#most = most
  }

  /** Whether who comes now has to wait. */
  get isBusy(): boolean {
    return this.#running >= this.#atOnce
  }

  /** Whether as much waits as may. */
  get isFull(): boolean {
    return this.#waiting.length >= this.#most || this.#stopped.signal.aborted
  }

  /** @throws the reason of having been stopped */
  async pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#stopped.signal })
  }

  /** Once less waits than does now. */
  spare(): Promise<void> {
    return this.#spare.promise
  }

  /** What is waited for besides, until nothing is under way. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#underWay++
    try {
      return await work()
    } finally {
      if (--this.#underWay === 0) this.#idle?.resolve()
    }
  }

  /** @throws whatever `work` throws; the reason of having been stopped */
  run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.during(() => this.#run(work))
  }

  async #run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#stopped
    signal.throwIfAborted()
    if (this.isBusy) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#running++
    try {
      signal.throwIfAborted()
      return await work(signal)
    } finally {
      const next = this.#waiting.shift()
      this.#spare.resolve()
      this.#spare = Promise.withResolvers()
      if (next === undefined) this.#running--
      else next()
    }
  }

  /** Once nothing is under way. */
  async idle(): Promise<void> {
    while (this.#underWay > 0) await (this.#idle = Promise.withResolvers<void>()).promise
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the registry is stopping'))
    await this.idle()
  }
}
