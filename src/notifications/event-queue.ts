import { randomBytes } from 'node:crypto'
import type { AbortOptions, Change, ObjectStore } from '../storage/object-store.ts'
import type { RegistryEvent } from './event.ts'

/** Ours, beside the tree of Distribution: `disco/events/<endpoint>/<time>-<number>-<random>`, one event each. */
const EVENTS = 'disco/events'
const PAGE = 1000
/** Bytes of events that are read at once, or one event: those of large images may be megabytes each. */
const MOST_BYTES = 1024 * 1024

export interface QueuedEvent {
  /** Its place in the queue. */
  readonly id: string
  readonly event: RegistryEvent
}

/** What one endpoint has still to hear, in the store: any process adds, one delivers, and a restart loses nothing. */
export class EventQueue {
  readonly #store: ObjectStore
  readonly #directory: string
  #added = 0
  #latest = 0

  constructor(store: ObjectStore, endpoint: string) {
    this.#store = store
    this.#directory = `${EVENTS}/${segmentOf(endpoint)}`
  }

  /** What a commit has to do to add events, the first one first. */
  additions(events: readonly RegistryEvent[]): Change[] {
    return events.map((event) => ({ put: `${this.#directory}/${this.#nextPlace()}`, data: Buffer.from(JSON.stringify(event)) }))
  }

  /** The oldest events, in the order of their coming in. */
  async first(limit: number, options: AbortOptions = {}): Promise<QueuedEvent[]> {
    const events: QueuedEvent[] = []
    let size = 0
    for (const id of await this.#store.list(this.#directory, { ...options, limit })) {
      const bytes = await this.#store.get(`${this.#directory}/${id}`, options)
      if (bytes === undefined) continue
      size += bytes.length
      if (size > MOST_BYTES && events.length > 0) break
      events.push({ id, event: JSON.parse(Buffer.from(bytes).toString()) as RegistryEvent })
    }
    return events
  }

  /** Drops what was delivered. */
  async remove(ids: readonly string[], options?: AbortOptions): Promise<void> {
    await this.#store.commit({ changes: ids.map((id) => ({ delete: `${this.#directory}/${id}` })) }, options)
  }

  /** How many wait, counted up to `most`. */
  async count(most: number, options: AbortOptions = {}): Promise<number> {
    let count = 0
    let after: string | undefined
    while (count < most) {
      const ids = await this.#store.list(this.#directory, { ...options, after, limit: PAGE })
      count += ids.length
      if (ids.length < PAGE) return count
      after = ids.at(-1)
    }
    return most
  }

  /** Sorts by time, and what one process adds in the order of its adding, also when the clock is set back. */
  #nextPlace(): string {
    this.#latest = Math.max(this.#latest, Date.now())
    return `${digits(this.#latest)}-${digits(this.#added++)}-${randomBytes(6).toString('hex')}`
  }
}

/** Drops the queues of endpoints that are not configured any more. */
export async function dropOtherQueues(store: ObjectStore, endpoints: readonly string[], options?: AbortOptions): Promise<number> {
  const kept = new Set(endpoints.map(segmentOf))
  const others = (await store.list(EVENTS, options)).filter((segment) => !kept.has(segment))
  if (others.length > 0) await store.commit({ changes: others.map((segment) => ({ delete: `${EVENTS}/${segment}` })) }, options)
  return others.length
}

/** Any name as one segment of a path, which may not be `.` or `..`. */
function segmentOf(endpoint: string): string {
  return `_${encodeURIComponent(endpoint)}`
}

function digits(number: number): string {
  return number.toString().padStart(15, '0')
}
