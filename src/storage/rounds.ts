import { setTimeout as sleep } from 'node:timers/promises'

/** Work that is done again and again beside everything else, one round at a time. Keeps no process alive. */
export class Rounds {
  readonly #round: (signal: AbortSignal) => Promise<number>
  readonly #stopped = new AbortController()
  #running: Promise<void> | undefined

  /** @param round gives the milliseconds until the next, and sees to its failures itself, but to those of being stopped */
  constructor(round: (signal: AbortSignal) => Promise<number>) {
    this.#round = round
  }

  /** @param after milliseconds until the first round. @default none */
  start(after: number = 0): void {
    this.#running ??= this.#run(after)
  }

  /** Ends the round that is under way, and waits for it. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#running
  }

  async #run(after: number): Promise<void> {
    const { signal } = this.#stopped
    if (after > 0) await pause(after, signal)
    try {
      while (!signal.aborted) await pause(await this.#round(signal), signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal, ref: false }).catch(() => undefined)
}
