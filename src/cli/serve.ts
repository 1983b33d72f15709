import cluster from 'node:cluster'
import { readFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/options.ts'
import { createDisco, CONFIG_CHECKS } from '../disco.ts'
import { createLogger } from '../telemetry/create-logger.ts'
import type { CommandLine } from './command-line.ts'
import { onHangup, outliveHangup } from './hangup.ts'
import { serveAsWorker } from './serve-as-worker.ts'
import { serveWithWorkers } from './serve-with-workers.ts'
import { CLOSE_TIMEOUT, onShutdown } from './shutdown.ts'
import { addressLine, nodeLines } from './start-lines.ts'

/** `disco serve`: runs until it is told to end. */
export async function serve({ options, operands }: CommandLine): Promise<void> {
  outliveHangup()
  const { config, warnings } = await loadConfig(readFlags([...options, ...operands]), process.env, CONFIG_CHECKS)
  if (cluster.isWorker) return serveAsWorker(config)
  for (const warning of warnings) console.warn(`disco: ${warning}`)
  return config.processes === 1 ? serveAlone(config) : serveWithWorkers(config)
}

async function serveAlone(config: Config): Promise<void> {
  const log = createLogger(config)
  const disco = await createDisco({ ...config, log })
  onShutdown(() => disco.stop(), config.drainTimeout + CLOSE_TIMEOUT)
  onHangup(config, log, () => disco.reload())
  try {
    const address = await disco.start({ onNode: (info, others) => console.log(nodeLines(config, info, others)) })
    console.log(addressLine(address))
  } catch (error) {
    await disco.stop()
    throw error
  }
}
