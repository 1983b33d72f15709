import { randomBytes } from 'node:crypto'
import type { AbortOptions, Change, ObjectStore } from '../storage/object-store.ts'
import type { RegistryEvent } from './event.ts'

/** Ours, beside the tree of Distribution: `disco/events/<endpoint>/<time>-<number>-<random>`, one event each. */
const EVENTS = 'disco/events'
const PAGE = 1000

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

  constructor(store: ObjectStore, endpoint: string) {
    this.#store = store
    this.#directory = `${EVENTS}/${segmentOf(endpoint)}`
  }

  /** What a commit has to do to add events, the first one first. */
  additions(events: readonly RegistryEvent[]): Change[] {
    return events.map((event) => ({ put: `${this.#directory}/${placeInLine(this.#added++)}`, data: Buffer.from(JSON.stringify(event)) }))
  }

  /** The oldest events, in the order of their coming in. */
  async first(limit: number, options: AbortOptions = {}): Promise<QueuedEvent[]> {
    const ids = await this.#store.list(this.#directory, { ...options, limit })
    const read = await Promise.all(ids.map(async (id) => ({ id, bytes: await this.#store.get(`${this.#directory}/${id}`, options) })))
    return read.flatMap(({ id, bytes }) => (bytes === undefined ? [] : [{ id, event: JSON.parse(Buffer.from(bytes).toString()) as RegistryEvent }]))
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

/** Sorts by time, and what one process adds in the order of its adding. */
function placeInLine(number: number): string {
  return `${Date.now().toString().padStart(15, '0')}-${number.toString().padStart(15, '0')}-${randomBytes(6).toString('hex')}`
}
