/** What clients saw of a load: what was asked, how it was answered, what failed. */
export class Figures {
  readonly #begun = performance.now()
  readonly #counts = new Map<string, number>()
  readonly #slowest = new Map<string, number>()

  /** One more of it. */
  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
  }

  /** An answer to a request of some kind, after so many milliseconds. */
  answered(kind: string, milliseconds: number): void {
    this.count('requests')
    this.#slowest.set(kind, Math.max(this.#slowest.get(kind) ?? 0, Math.round(milliseconds)))
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0
  }

  toString(): string {
    const seconds = Math.round((performance.now() - this.#begun) / 1000)
    return JSON.stringify({ seconds, ...Object.fromEntries([...this.#counts].toSorted()), 'slowest, ms': Object.fromEntries([...this.#slowest].toSorted()) })
  }
}
