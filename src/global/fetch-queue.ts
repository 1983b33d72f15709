import type { FileFetch } from '../ipfs/node.ts'

interface Waiting<K> {
  readonly key: K
  readonly begun: PromiseWithResolvers<FileFetch>
}

/** Files on their way at once: those that nobody has asked for yet, and all of them. */
const UNASKED = 3
const ALL = 8

/** Fetches files, those first that a client waits for. Ends with the first failure. */
export class FetchQueue<K> {
  readonly #begin: (key: K) => FileFetch
  readonly #waiting: Waiting<K>[]
  readonly #begun: ReadonlyMap<K, PromiseWithResolvers<FileFetch>>
  readonly #end = Promise.withResolvers<void>()
  #asked = 0
  #running = 0

  constructor(keys: readonly K[], begin: (key: K) => FileFetch) {
    this.#begin = begin
    this.#waiting = keys.map((key) => ({ key, begun: Promise.withResolvers<FileFetch>() }))
    this.#begun = new Map(this.#waiting.map(({ key, begun }) => [key, begun]))
    for (const { begun } of this.#waiting) begun.promise.catch(() => {})
    this.#end.promise.catch(() => {})
    this.#next()
  }

  /** Resolves when every file is here. @throws what the first fetch that failed threw */
  get done(): Promise<void> {
    return this.#end.promise
  }

  /** The fetch of a file, as soon as it has begun. */
  async ask(key: K): Promise<FileFetch> {
    const at = this.#waiting.findIndex((waiting) => waiting.key === key)
    if (at >= this.#asked) {
      this.#waiting.splice(this.#asked, 0, ...this.#waiting.splice(at, 1))
      this.#asked++
      this.#next()
    }
    const begun = this.#begun.get(key)
    if (begun === undefined) throw new Error('a file that is not of the image')
    return begun.promise
  }

  /** Begins nothing more; whoever waits for a fetch to begin learns why. */
  stop(reason: unknown): void {
    for (const { begun } of this.#waiting.splice(0)) begun.reject(reason)
    this.#asked = 0
    this.#end.reject(reason)
  }

  #next(): void {
    while (this.#waiting.length > 0 && this.#running < (this.#asked > 0 ? ALL : UNASKED)) {
      const [first] = this.#waiting.splice(0, 1)
      if (first === undefined) break
      this.#asked = Math.max(0, this.#asked - 1)
      this.#running++
      void this.#run(first)
    }
    if (this.#waiting.length === 0 && this.#running === 0) this.#end.resolve()
  }

  async #run({ key, begun }: Waiting<K>): Promise<void> {
    try {
      const fetch = this.#begin(key)
      begun.resolve(fetch)
      await fetch.done
      this.#running--
      this.#next()
    } catch (error) {
      begun.reject(error)
      this.stop(error)
    }
  }
}
