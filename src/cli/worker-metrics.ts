import type { Worker } from 'node:cluster'
import type { Disco } from '../disco.ts'
import type { MetricsSnapshot } from '../telemetry/metrics.ts'

/** What the process that has the debug address wants of a worker. */
const ASK = 'metrics'
/** Milliseconds that a worker may take; one that is late is left out this time. */
const TIMEOUT = 2000

interface MetricsMessage {
  readonly metrics: MetricsSnapshot
}

/** In a worker: tells what it has counted to whoever started it, as often as that asks. */
export function answerMetrics(disco: Disco): void {
  process.on('message', (message: unknown) => {
    if (message === ASK) void disco.metrics().then((metrics) => process.send?.({ metrics: metrics ?? [] } satisfies MetricsMessage))
  })
}

/** What a worker has counted; undefined where it does not say. */
export function askMetrics(worker: Worker): Promise<MetricsSnapshot | undefined> {
  return new Promise((resolve) => {
    const done = (metrics?: MetricsSnapshot): void => {
      clearTimeout(timer)
      worker.off('message', onMessage)
      worker.off('exit', onExit)
      resolve(metrics)
    }
    const onMessage = (message: MetricsMessage): void => done(message.metrics)
    const onExit = (): void => done()
    const timer = setTimeout(done, TIMEOUT)
    worker.on('message', onMessage).on('exit', onExit)
    worker.send(ASK, (error) => error && done())
  })
}
