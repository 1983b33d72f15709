/** Memory that many requests share. */
export class ByteBudget {
  #left: number

  /** @param capacity in bytes */
  constructor(capacity: number) {
    this.#left = capacity
  }

  /** Whether there was so much left; then it is the caller's until it gives it back. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false
    this.#left -= bytes
    return true
  }

  giveBack(bytes: number): void {
    this.#left += bytes
  }
}
