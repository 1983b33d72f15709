/** Memory that many requests share, of which one client gets half at most: it may keep what it has for as long as it likes. */
export class ByteBudget {
  readonly #share: number
  readonly #taken = new Map<string, number>()
  #left: number

  /** @param capacity in bytes */
  constructor(capacity: number) {
    this.#left = capacity
    this.#share = capacity / 2
  }

  /** Whether there was so much left for the client; then it is the caller's until it gives it back. */
  take(client: string, bytes: number): boolean {
    const taken = (this.#taken.get(client) ?? 0) + bytes
    if (bytes > this.#left || taken > this.#share) return false
    this.#left -= bytes
    this.#taken.set(client, taken)
    return true
  }

  giveBack(client: string, bytes: number): void {
    if (bytes === 0) return
    this.#left += bytes
    const taken = (this.#taken.get(client) ?? 0) - bytes
    if (taken > 0) this.#taken.set(client, taken)
    else this.#taken.delete(client)
  }
}
