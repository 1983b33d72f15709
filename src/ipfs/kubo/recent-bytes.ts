/** The last bytes that came, for who reads along. */
export class RecentBytes {
  readonly #limit: number
  readonly #chunks: Uint8Array[] = []
  /** Of the first chunk. */
  #start = 0
  #end = 0

  /** @param limit bytes that are kept at least, where there are as many */
  constructor(limit: number) {
    this.#limit = limit
  }

  get end(): number {
    return this.#end
  }

  add(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#end += chunk.length
    for (let [first] = this.#chunks; first !== undefined && this.#end - this.#start - first.length >= this.#limit; [first] = this.#chunks) {
      this.#chunks.shift()
      this.#start += first.length
    }
  }

  /** Bytes from there on, at least one; undefined where they have not come or have gone. */
  from(position: number): Uint8Array | undefined {
    if (position < this.#start) return undefined
    let at = this.#start
    for (const chunk of this.#chunks) {
      if (position < at + chunk.length) return chunk.subarray(position - at)
      at += chunk.length
    }
    return undefined
  }

  clear(): void {
    this.#chunks.length = 0
    this.#start = this.#end
  }
}
