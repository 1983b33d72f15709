import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../telemetry/logger.ts'
import type { MetricsSnapshot } from '../telemetry/metrics.ts'
import type { WorkerMessage } from './serve-as-worker.ts'
import { askMetrics } from './worker-metrics.ts'

/** Waited before a worker that died is replaced, at first and at most, in milliseconds; it doubles each time. */
const FIRST_DELAY = 100
const LONGEST_DELAY = 10_000
/** A worker that lived so long died of something new, in milliseconds. */
const SOUND_LIFE = 30_000
/** Time to finish what is in flight, in milliseconds; a worker cuts itself off before. */
const STOP_TIMEOUT = 12_000

/** Processes that serve the port together, each replaced when it dies. */
export class Workers {
  readonly #count: number
  readonly #env: Readonly<Record<string, string>>
  readonly #log: Logger
  readonly #stopping = new AbortController()

  constructor(count: number, env: Readonly<Record<string, string>>, log: Logger) {
    this.#count = count
    this.#env = env
    this.#log = log
  }

  /** Resolves with the address they all serve. @throws Error when one of them can't begin */
  async start(): Promise<string> {
    const started = await Promise.all(Array.from({ length: this.#count }, () => this.#fork()))
    for (const { worker } of started) void this.#replaceWhenDead(worker)
    return started[0]?.address ?? ''
  }

  /** What each of them has counted. */
  async metrics(): Promise<MetricsSnapshot[]> {
    const living = Object.values(cluster.workers ?? {}).filter((worker): worker is Worker => worker?.isConnected() === true)
    const snapshots = await Promise.all(living.map((worker) => askMetrics(worker)))
    return snapshots.filter((snapshot) => snapshot !== undefined)
  }

  /** Lets each finish what it has in flight. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    const living = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
    await Promise.all(living.map((worker) => stopWorker(worker)))
  }

  async #replaceWhenDead(first: Worker): Promise<void> {
    let worker: Worker | undefined = first
    let delay = FIRST_DELAY
    for (;;) {
      const born = Date.now()
      if (worker !== undefined && !worker.isDead()) await once(worker, 'exit')
      if (this.#stopping.signal.aborted) return
      if (Date.now() - born > SOUND_LIFE) delay = FIRST_DELAY
      this.#log.warn({ delay }, 'a worker is not there; it is replaced')
      await sleep(delay, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
      if (this.#stopping.signal.aborted) return
      delay = Math.min(delay * 2, LONGEST_DELAY)
      worker = await this.#refork()
    }
  }

  async #refork(): Promise<Worker | undefined> {
    try {
      return (await this.#fork()).worker
    } catch (err) {
      this.#log.error({ err }, 'a worker could not begin')
      return undefined
    }
  }

  async #fork(): Promise<{ worker: Worker; address: string }> {
    const worker = cluster.fork(this.#env)
    const message = await Promise.race([
      once(worker, 'message').then(([received]) => received as WorkerMessage),
      once(worker, 'exit').then(([code, signal]): WorkerMessage => ({ failure: [`a worker ended before it served: ${signal ?? code}`] })),
    ])
    if ('failure' in message) throw new Error(message.failure.join('; '))
    return { worker, address: message.address }
  }
}

async function stopWorker(worker: Worker): Promise<void> {
  if (worker.isDead()) return
  const ended = once(worker, 'exit')
  worker.process.kill('SIGTERM')
  const late = setTimeout(() => worker.process.kill('SIGKILL'), STOP_TIMEOUT)
  await ended
  clearTimeout(late)
}
