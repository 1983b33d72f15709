/** A map that forgets: entries older than `age` milliseconds, and the ones set first beyond `size`. */
export class BoundedMap<V> {
  readonly #entries = new Map<string, { readonly value: V; readonly until: number }>()
  readonly #size: number
  readonly #age: number

  constructor(size: number, age: number) {
    this.#size = size
    this.#age = age
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (entry.until > performance.now()) return entry.value
    this.#entries.delete(key)
    return undefined
  }

  set(key: string, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, until: performance.now() + this.#age })
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > this.#size && oldest !== undefined) this.#entries.delete(oldest)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }
}
