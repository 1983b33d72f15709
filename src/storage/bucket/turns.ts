/** Who comes first takes all that it names first, within one process. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  /** Resolves when it is this one's turn at all of them; what it gives ends the turn. */
  async take(names: readonly string[]): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const before = names.flatMap((name) => this.#last.get(name) ?? [])
    for (const name of names) this.#last.set(name, promise)
    await Promise.all(before)
    return () => {
      for (const name of names) if (this.#last.get(name) === promise) this.#last.delete(name)
      resolve()
    }
  }

  /** Once nobody has a turn or waits for one. */
  async idle(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values())
  }
}
