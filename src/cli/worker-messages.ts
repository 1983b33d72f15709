import type { Worker } from 'node:cluster'
import type { Disco } from '../disco.ts'
import type { MetricsSnapshot } from '../telemetry/metrics.ts'

/** What becomes of a worker's start. */
export type WorkerStart = { readonly address: string } | { readonly failure: readonly string[] }
/** It hears what it is told from now on; anything before is lost. */
interface WorkerHello {
  readonly hello: true
}

/** What whoever started a worker wants of it: what it has counted; out of rotation, in again; files read again. */
export type WorkerTask = 'metrics' | 'down' | 'up' | 'reload'

interface WorkerDone {
  readonly done: WorkerTask
  readonly metrics?: MetricsSnapshot | undefined
}

/** Milliseconds that a worker may take; nobody waits longer for one that is late. */
const TIMEOUT = 2000

type WorkerMessage = WorkerHello | WorkerStart | WorkerDone

/** In a worker: does what it is told. Resolves when it has been told the first thing: whether it is in rotation. */
export function obey(disco: Disco): Promise<void> {
  return new Promise((resolve) => {
    process.on('message', (task: WorkerTask) => {
      void perform(disco, task).then((metrics) => {
        process.send?.({ done: task, metrics } satisfies WorkerDone)
        resolve()
      })
    })
    process.send?.({ hello: true } satisfies WorkerHello)
  })
}

async function perform(disco: Disco, task: WorkerTask): Promise<MetricsSnapshot | undefined> {
  if (task === 'metrics') return await disco.metrics()
  if (task === 'reload') disco.reload()
  else await disco.rotate(task)
  return undefined
}

/** Resolves when a worker has done it, with what it has counted; undefined where it does not say. */
export function tell(worker: Worker, task: WorkerTask): Promise<MetricsSnapshot | undefined> {
  return new Promise((resolve) => {
    const done = (metrics?: MetricsSnapshot): void => {
      clearTimeout(timer)
      worker.off('message', onMessage)
      worker.off('exit', onExit)
      resolve(metrics)
    }
    const onMessage = (message: WorkerMessage): void => {
      if ('done' in message && message.done === task) done(message.metrics)
    }
    const onExit = (): void => done()
    const timer = setTimeout(done, TIMEOUT)
    worker.on('message', onMessage).on('exit', onExit)
    worker.send(task, (error) => error && done())
  })
}

/** Calls `onHello` when the worker hears what it is told, and resolves with what became of its start. */
export function startOf(worker: Worker, onHello: () => void): Promise<WorkerStart> {
  return new Promise((resolve) => {
    const done = (start: WorkerStart): void => {
      worker.off('message', onMessage)
      worker.off('exit', onExit)
      resolve(start)
    }
    const onMessage = (message: WorkerMessage): void => {
      if ('hello' in message) onHello()
      else if (!('done' in message)) done(message)
    }
    const onExit = (code: number, signal: string | null): void => done({ failure: [`a worker ended before it served: ${signal ?? code}`] })
    worker.on('message', onMessage).on('exit', onExit)
  })
}
