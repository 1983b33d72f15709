/** Bytes a second below which patience runs out. */
export const LEAST_RATE: number = 16 * 1024
/** Bytes that an answer counts for at least: what is small costs a way there and back, not bytes. */
const LEAST_BYTES = 8 * 1024

/**
 * How long is waited for somebody who gives little: it runs out with the time in which something is asked of him, and
 * comes back with what he gives.
 */
export class Patience {
  readonly #limit: number
  readonly #rate: number
  readonly #waiting = new Set<() => void>()
  #left: number
  #since = 0
  #timer: NodeJS.Timeout | undefined

  /** @param limit milliseconds; @param rate bytes a second at which it lasts for ever */
  constructor(limit: number, rate: number) {
    this.#limit = this.#left = limit
    this.#rate = rate
  }

  /** Waits for an answer, until the function that is returned is called; `spent` is called where it has run out. */
  wait(spent: () => void): () => void {
    this.#settle()
    this.#waiting.add(spent)
    if (this.#timer === undefined) this.#watch()
    return () => {
      this.#settle()
      this.#waiting.delete(spent)
      if (this.#waiting.size > 0) return
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
  }

  /** Bytes that came, of an answer or of a part of it. */
  gave(bytes: number): void {
    this.#settle()
    this.#left = Math.min(this.#limit, this.#left + (bytes * 1000) / this.#rate)
  }

  answered(): void {
    this.gave(LEAST_BYTES)
  }

  #settle(): void {
    const now = performance.now()
    if (this.#waiting.size > 0) this.#left -= now - this.#since
    this.#since = now
  }

  #watch(): void {
    this.#timer = setTimeout(() => {
      this.#settle()
      if (this.#left > 0) return this.#watch()
      this.#timer = undefined
      for (const spent of this.#waiting) spent()
    }, Math.max(1, this.#left))
  }
}
