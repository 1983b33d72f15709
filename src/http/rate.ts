/** Clients that are remembered; who has not come for the longest is forgotten first. */
const CLIENTS = 65_536

interface Bucket {
  tokens: number
  /** When they were counted, in milliseconds. */
  at: number
}

export interface RateOptions {
  /** Requests of one client a second, in the long run. */
  readonly rate: number
  /** Requests that may come at once. */
  readonly burst: number
  /** In milliseconds. @default performance.now */
  readonly now?: (() => number) | undefined
}

/** A bucket of tokens for each client, which a request takes one from and time fills. */
export class Rate {
  readonly #rate: number
  readonly #burst: number
  readonly #now: () => number
  readonly #buckets = new Map<string, Bucket>()

  constructor({ rate, burst, now = () => performance.now() }: RateOptions) {
    this.#rate = rate / 1_000
    this.#burst = Math.max(1, burst)
    this.#now = now
  }

  /** Undefined when the request may go on; else how long until one may, in milliseconds. */
  take(client: string): number | undefined {
    const now = this.#now()
    const bucket = this.#buckets.get(client) ?? { tokens: this.#burst, at: now }
    bucket.tokens = Math.min(this.#burst, bucket.tokens + (now - bucket.at) * this.#rate)
    bucket.at = now
    this.#remember(client, bucket)
    if (bucket.tokens < 1) return (1 - bucket.tokens) / this.#rate
    bucket.tokens--
    return undefined
  }

  #remember(client: string, bucket: Bucket): void {
    this.#buckets.delete(client)
    this.#buckets.set(client, bucket)
    if (this.#buckets.size <= CLIENTS) return
    const [oldest] = this.#buckets.keys()
    if (oldest !== undefined) this.#buckets.delete(oldest)
  }
}
