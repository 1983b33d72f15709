import { UPSTREAM_VARIABLE, WORKER_VARIABLE } from '../config/environment.ts'
import type { Config } from '../config/options.ts'
import { createDisco } from '../disco.ts'
import { createLogger } from '../telemetry/create-logger.ts'
import { failureLines } from './failure.ts'
import { CLOSE_TIMEOUT, onShutdown } from './shutdown.ts'
import { obey, type WorkerStart } from './worker-messages.ts'

/** One of the processes that serve requests; the network is in the one that started it. */
export async function serveAsWorker(config: Config): Promise<void> {
  const upstream = process.env[UPSTREAM_VARIABLE]
  if (upstream === undefined) throw new Error(`${UPSTREAM_VARIABLE} is not set`)
  try {
    const disco = await createDisco({ ...config, upstream, processName: `worker-${process.env[WORKER_VARIABLE] ?? ''}`, log: createLogger(config).child({ pid: process.pid }) })
    onShutdown(() => disco.stop(), config.drainTimeout + CLOSE_TIMEOUT)
    await obey(disco)
    await tell({ address: await disco.start() })
  } catch (error) {
    await tell({ failure: failureLines(error) })
    process.exit(1)
  }
}

function tell(message: WorkerStart): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, undefined, undefined, () => resolve())
  })
}
