import { setTimeout as sleep } from 'node:timers/promises'
import type { ObjectStore } from '../storage/object-store.ts'
import type { Logger } from '../telemetry/logger.ts'
import { Delivery } from './delivery.ts'
import { DeliveryTurn, type DeliveryTurnOptions } from './delivery-turn.ts'
import { wants, type Endpoint } from './endpoint.ts'
import type { RegistryEvent } from './event.ts'
import { EventQueue, dropOtherQueues } from './event-queue.ts'

export interface NotificationsParts {
  readonly store: ObjectStore
  readonly endpoints: readonly Endpoint[]
  /** Names of endpoints that hear nothing for now: what waits for them is kept. */
  readonly silent?: readonly string[] | undefined
  /** Whether this process delivers; one process of a registry does. */
  readonly deliver: boolean
  /** Where other Discos may be on the store: which of them this one is. @default there is none */
  readonly among?: DeliveryTurnOptions | undefined
  readonly log: Logger
}

/** Who hears what clients did. */
export interface EventSink {
  /** A push, a mount or a delete is durably queued when it resolves; a pull is soon after, also at a stop, but not at a crash. */
  tell(event: RegistryEvent): Promise<void>
}

/** How long pulls wait for others to be queued with, in milliseconds: a commit each would slow them down. */
const PULL_DELAY = 200
/** Pulls that wait in memory at most, each thing that one refers to counted as another; and pulls of one commit. */
const MOST_IN_MEMORY = 10_000
const MOST_OF_COMMIT = 2_000
/** Pulls that one endpoint has waiting at most: one that stays away must not fill the disk. Counted every so many. */
const MOST_WAITING = 100_000
const COUNT_EVERY = 10_000

interface Line {
  readonly endpoint: Endpoint
  readonly queue: EventQueue
  readonly delivery: Delivery | undefined
  /** Pulls that may still be queued before the next count. */
  room: number
  full: boolean
}

/** Distribution's notifications, on queues in the store. */
export class Notifications implements EventSink {
  readonly #parts: NotificationsParts
  readonly #lines: readonly Line[]
  readonly #turn: DeliveryTurn | undefined
  readonly #stopped = new AbortController()
  readonly #pulls: RegistryEvent[] = []
  #inMemory = 0
  #dropped = 0
  #flushing: Promise<void> | undefined

  constructor(parts: NotificationsParts) {
    const { store, endpoints, deliver, among, log } = parts
    this.#parts = parts
    const turn = (this.#turn = deliver && among !== undefined ? new DeliveryTurn(store, log, among) : undefined)
    this.#lines = endpoints.map((endpoint) => {
      const queue = new EventQueue(store, endpoint.name)
      return { endpoint, queue, delivery: deliver ? new Delivery({ endpoint, queue, turn, log }) : undefined, room: 0, full: false }
    })
  }

  async start(): Promise<void> {
    const { store, endpoints, silent = [], deliver, log } = this.#parts
    if (!deliver) return
    const dropped = await dropOtherQueues(store, [...endpoints.map(({ name }) => name), ...silent])
    if (dropped > 0) log.info({ dropped }, 'dropped the events of endpoints that are not configured any more')
    this.#turn?.start()
    for (const { delivery } of this.#lines) delivery?.start()
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#flushing
    await Promise.all(this.#lines.map(async ({ delivery }) => delivery?.stop()))
    await this.#turn?.stop()
  }

  /** Events that wait for each endpoint, counted up to a bound. */
  async waiting(): Promise<ReadonlyMap<string, number>> {
    return new Map(await Promise.all(this.#lines.map(async ({ endpoint, queue }) => [endpoint.name, await queue.count(MOST_WAITING)] as const)))
  }

  /** Attempts to deliver by this process, by endpoint and by what became of them: an HTTP status, or `none`. */
  attempts(): { readonly endpoint: string; readonly outcome: string; readonly count: number }[] {
    return this.#lines.flatMap(({ endpoint, delivery }) => [...delivery?.outcomes ?? []].map(([outcome, count]) => ({ endpoint: endpoint.name, outcome, count })))
  }

  async tell(event: RegistryEvent): Promise<void> {
    if (event.action === 'pull') return this.#tellLater(event)
    const changes = this.#lines.flatMap(({ endpoint, queue }) => (wants(endpoint, event) ? queue.additions([event]) : []))
    if (changes.length > 0) await this.#commit(changes)
  }

  #tellLater(event: RegistryEvent): void {
    if (this.#inMemory >= MOST_IN_MEMORY) {
      this.#dropped++
      return
    }
    this.#inMemory += weightOf(event)
    this.#pulls.push(event)
    this.#flushing ??= this.#flush()
  }

  /** One commit after the other until nothing is left: on a slow store they must not pile up. */
  async #flush(): Promise<void> {
    const { log } = this.#parts
    while (this.#pulls.length > 0) {
      await sleep(PULL_DELAY, undefined, { signal: this.#stopped.signal, ref: false }).catch(() => undefined)
      if (this.#dropped > 0) log.error({ events: this.#dropped }, 'events of pulls are lost: they came faster than they could be queued')
      this.#dropped = 0
      const pulls = this.#pulls.splice(0, MOST_OF_COMMIT)
      try {
        await this.#queue(pulls)
      } catch (err) {
        log.error({ err, events: pulls.length }, 'events of pulls are lost: they could not be queued')
      }
      for (const pull of pulls) this.#inMemory -= weightOf(pull)
    }
    this.#flushing = undefined
  }

  async #queue(pulls: readonly RegistryEvent[]): Promise<void> {
    const changes = []
    for (const line of this.#lines) {
      const wanted = pulls.filter((event) => wants(line.endpoint, event))
      if (wanted.length > 0 && (await this.#hasRoom(line, wanted.length))) changes.push(...line.queue.additions(wanted))
    }
    if (changes.length > 0) await this.#commit(changes)
  }

  async #commit(changes: ReturnType<EventQueue['additions']>): Promise<void> {
    await this.#parts.store.commit({ changes })
    for (const { delivery } of this.#lines) delivery?.nudge()
  }

  async #hasRoom(line: Line, events: number): Promise<boolean> {
    if (line.room < events) line.room = Math.min(MOST_WAITING - (await line.queue.count(MOST_WAITING)), COUNT_EVERY)
    const full = line.room < events
    if (full && !line.full) {
      this.#parts.log.error({ endpoint: line.endpoint.name, waiting: MOST_WAITING }, 'events of pulls are dropped until the endpoint has taken some of those that wait')
    }
    line.full = full
    line.room -= full ? 0 : events
    return !full
  }
}

function weightOf({ target: { references = [] } }: RegistryEvent): number {
  return 1 + references.length
}
