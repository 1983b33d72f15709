import { setTimeout as sleep } from 'node:timers/promises'
import { withoutUser } from '../oci/url-user.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Endpoint } from './endpoint.ts'
import { EVENTS_MEDIA_TYPE, type RegistryEvent } from './event.ts'
import type { EventQueue } from './event-queue.ts'

export interface DeliveryParts {
  readonly endpoint: Endpoint
  readonly queue: EventQueue
  /** Whether it is for this Disco to deliver. @default it is */
  readonly turn?: { readonly isOurs: boolean } | undefined
  readonly log: Logger
}

/** How often the queue is looked at for what other processes put there, in milliseconds. */
const LOOK_INTERVAL = 1_000
/** Events of one envelope at most. After a failure they go one by one, so that one that is refused shows. */
const MOST_AT_ONCE = 100
/** First pause after a failure; it doubles until `threshold` failures, then `backoff` counts. In milliseconds. */
const FIRST_PAUSE = 50
/** An endpoint that stays away is asked less and less often, down to this, in milliseconds. */
const LONGEST_PAUSE = 60_000

/** Delivers the events of one endpoint in their order, each until it is taken: at least once, with the same id. */
export class Delivery {
  readonly #parts: DeliveryParts
  readonly #stopped = new AbortController()
  #running: Promise<void> | undefined
  /** Something new has come since the queue was looked at. */
  #nudged = false
  #wake: () => void = () => {}
  /** Attempts by what became of them: an HTTP status, or `none` where there was no answer. */
  readonly outcomes: Map<string, number> = new Map()
  #failures = 0
  #batch = MOST_AT_ONCE

  constructor(parts: DeliveryParts) {
    this.#parts = parts
  }

  start(): void {
    this.#running ??= this.#run(this.#stopped.signal)
  }

  /** Leaves what was not delivered for the next run. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#running
  }

  /** There is something new. */
  nudge(): void {
    this.#nudged = true
    this.#wake()
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { endpoint, log } = this.#parts
    while (!signal.aborted) {
      try {
        const delivered = await this.#deliver(signal)
        if (this.#failures >= endpoint.threshold) log.info({ endpoint: endpoint.name }, 'the endpoint takes events again')
        this.#failures = 0
        this.#batch = Math.min(this.#batch * 2, MOST_AT_ONCE)
        if (!delivered) await this.#idle(signal)
      } catch (err) {
        if (signal.aborted) return
        this.#failures++
        this.#batch = 1
        if (this.#failures === 1 || this.#failures % endpoint.threshold === 0) {
          log.warn({ endpoint: endpoint.name, failures: this.#failures, err }, 'events could not be delivered; they are kept')
        }
        await sleep(this.#pause(), undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async #deliver(signal: AbortSignal): Promise<boolean> {
    const { endpoint, queue, turn } = this.#parts
    this.#nudged = false
    if (turn?.isOurs === false) return false
    const events = await queue.first(this.#batch, { signal })
    if (events.length === 0) return false
    await this.#counted(() => post(endpoint, events.map(({ event }) => event), signal))
    await queue.remove(events.map(({ id }) => id), { signal })
    return true
  }

  async #counted(attempt: () => Promise<number>): Promise<void> {
    let status: number | undefined
    try {
      status = await attempt()
    } finally {
      const outcome = String(status ?? 'none')
      this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
    }
    if (status >= 300) throw new Error(`the endpoint answered ${status}${status < 400 ? ', and redirects are not followed: its URL is another' : ''}`)
  }

  async #idle(signal: AbortSignal): Promise<void> {
    if (this.#nudged) return
    const woken = new AbortController()
    this.#wake = () => woken.abort()
    await sleep(LOOK_INTERVAL, undefined, { signal: AbortSignal.any([signal, woken.signal]), ref: false }).catch(() => undefined)
  }

  #pause(): number {
    const { threshold, backoff } = this.#parts.endpoint
    const beyond = this.#failures - threshold
    if (beyond < 0) return Math.min(FIRST_PAUSE * 2 ** this.#failures, backoff)
    return Math.max(backoff, Math.min(backoff * 2 ** Math.min(beyond, 20), LONGEST_PAUSE))
  }
}

/**
 * Gives the status. Distribution follows redirects: most of them as a GET, whose answer it takes for success although
 * nobody has heard the events, and to other hosts with the headers, which hold credentials.
 *
 * @throws Error when there is no answer
 */
async function post({ url, headers, timeout }: Endpoint, events: readonly RegistryEvent[], signal: AbortSignal): Promise<number> {
  const { url: { href }, authorization } = withoutUser(url)
  const given = Object.entries(headers ?? {}).flatMap(([name, values]) => values.map((value): [string, string] => [name, value]))
  const response = await fetch(href, {
    method: 'POST',
    redirect: 'manual',
    headers: [['Content-Type', EVENTS_MEDIA_TYPE], ...(authorization === undefined ? [] : [['Authorization', authorization] as [string, string]]), ...given],
    body: JSON.stringify({ events }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
  })
  await response.body?.cancel()
  return response.status
}
