import { afterSilence } from '../../gateway/after-silence.ts'

/** Watches that something comes. */
export class Arrival {
  #last = performance.now()

  /** Calls `silent` once, when that many milliseconds nothing has come. Returns what calls it off. */
  watch(ms: number, silent: () => void): () => void {
    return afterSilence(ms, () => this.#last, silent)
  }

  now(): void {
    this.#last = performance.now()
  }
}
