import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { WORKER_VARIABLE } from '../config/environment.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { MetricsSnapshot } from '../telemetry/metrics.ts'
import type { Rotation } from '../telemetry/health.ts'
import type { OtherProcesses } from '../telemetry/other-processes.ts'
import { CLOSE_TIMEOUT } from './shutdown.ts'
import { startOf, tell, type WorkerTask } from './worker-messages.ts'

/** Waited before a worker that died is replaced, at first and at most, in milliseconds; it doubles each time. */
const FIRST_DELAY = 100
const LONGEST_DELAY = 10_000
/** A worker that lived so long died of something new, in milliseconds. */
const SOUND_LIFE = 30_000

export interface WorkersOptions {
  readonly count: number
  readonly env: Readonly<Record<string, string>>
  /** Milliseconds that a worker takes at most to finish what is in flight. */
  readonly grace: number
  readonly log: Logger
}

/** Processes that serve the port together, each replaced when it dies. */
export class Workers implements OtherProcesses {
  readonly #options: WorkersOptions
  readonly #stopping = new AbortController()
  readonly #listening = new Set<Worker>()
  #rotation: Rotation = 'up'

  constructor(options: WorkersOptions) {
    this.#options = options
  }

  /** Resolves with the address they all serve. @throws Error when one of them can't begin */
  async start(): Promise<string> {
    const started = await Promise.all(Array.from({ length: this.#options.count }, (_, index) => this.#fork(index + 1)))
    for (const [index, { worker }] of started.entries()) void this.#replaceWhenDead(worker, index + 1)
    return started[0]?.address ?? ''
  }

  async metrics(): Promise<MetricsSnapshot[]> {
    return (await this.#tellAll('metrics')).filter((snapshot) => snapshot !== undefined)
  }

  async rotate(rotation: Rotation): Promise<void> {
    this.#rotation = rotation
    await this.#tellAll(rotation)
  }

  /** Has each of them read files again. */
  async reload(): Promise<void> {
    await this.#tellAll('reload')
  }

  /** Lets each finish what it has in flight. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    const living = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
    await Promise.all(living.map((worker) => stopWorker(worker, this.#options.grace + CLOSE_TIMEOUT)))
  }

  async #replaceWhenDead(first: Worker, number: number): Promise<void> {
    let worker: Worker | undefined = first
    let delay = FIRST_DELAY
    for (;;) {
      const born = Date.now()
      if (worker !== undefined && !worker.isDead()) await once(worker, 'exit')
      if (this.#stopping.signal.aborted) return
      if (Date.now() - born > SOUND_LIFE) delay = FIRST_DELAY
      this.#options.log.warn({ delay }, 'a worker is not there; it is replaced')
      await sleep(delay, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
      if (this.#stopping.signal.aborted) return
      delay = Math.min(delay * 2, LONGEST_DELAY)
      worker = await this.#refork(number)
    }
  }

  async #refork(number: number): Promise<Worker | undefined> {
    try {
      return (await this.#fork(number)).worker
    } catch (err) {
      this.#options.log.error({ err }, 'a worker could not begin')
      return undefined
    }
  }

  /** @param number what metrics know it by: whoever takes its place has the same, or every death would make series anew */
  async #fork(number: number): Promise<{ worker: Worker; address: string }> {
    const worker = cluster.fork({ ...this.#options.env, [WORKER_VARIABLE]: String(number) })
    worker.once('exit', () => this.#listening.delete(worker))
    const start = await startOf(worker, () => {
      this.#listening.add(worker)
      void tell(worker, this.#rotation)
    })
    if ('failure' in start) throw new Error(start.failure.join('; '))
    return { worker, address: start.address }
  }

  async #tellAll(task: WorkerTask): Promise<(MetricsSnapshot | undefined)[]> {
    const living = [...this.#listening].filter((worker) => worker.isConnected())
    return await Promise.all(living.map((worker) => tell(worker, task)))
  }
}

async function stopWorker(worker: Worker, timeout: number): Promise<void> {
  if (worker.isDead()) return
  const ended = once(worker, 'exit')
  worker.process.kill('SIGTERM')
  const late = setTimeout(() => worker.process.kill('SIGKILL'), timeout)
  await ended
  clearTimeout(late)
}
