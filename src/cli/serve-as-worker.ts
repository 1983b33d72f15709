import { UPSTREAM_VARIABLE, WORKER_VARIABLE } from '../config/environment.ts'
import type { Config } from '../config/options.ts'
import { createDisco } from '../disco.ts'
import { createLogger } from '../telemetry/create-logger.ts'
import { failureLines } from './failure.ts'
import { onHangup } from './hangup.ts'
import { onShutdown } from './shutdown.ts'
import { answerMetrics } from './worker-metrics.ts'

/** What a worker tells the process that started it. */
export type WorkerMessage = { readonly address: string } | { readonly failure: readonly string[] }

/** One of the processes that serve requests; the network is in the one that started it. */
export async function serveAsWorker(config: Config): Promise<void> {
  const upstream = process.env[UPSTREAM_VARIABLE]
  if (upstream === undefined) throw new Error(`${UPSTREAM_VARIABLE} is not set`)
  try {
    const disco = await createDisco({ ...config, upstream, processName: `worker-${process.env[WORKER_VARIABLE] ?? ''}`, log: createLogger(config).child({ pid: process.pid }) })
    onShutdown(() => disco.stop())
    if (config.tlsCertificate !== undefined) onHangup(() => disco.reload())
    await tell({ address: await disco.start() })
    // Only now: the first thing that is heard of a worker is its address.
    answerMetrics(disco)
  } catch (error) {
    await tell({ failure: failureLines(error) })
    process.exit(1)
  }
}

function tell(message: WorkerMessage): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, undefined, undefined, () => resolve())
  })
}
