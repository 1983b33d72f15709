import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UPSTREAM_VARIABLE } from '../config/environment.ts'
import type { Config } from '../config/options.ts'
import { createDisco } from '../disco.ts'
import { createLogger } from '../telemetry/create-logger.ts'
import { onHangup } from './hangup.ts'
import { CLOSE_TIMEOUT, onShutdown } from './shutdown.ts'
import { addressLine, nodeLines } from './start-lines.ts'
import { Workers } from './workers.ts'

/** Paths of sockets have room for no more: sockaddr_un, on the strictest system. */
const LONGEST_SOCKET_PATH = 100

/** This process runs the network and answers for what is not here yet, on a socket; its workers serve the port. */
export async function serveWithWorkers(config: Config): Promise<void> {
  const log = createLogger(config)
  const socket = socketPath(config.data)
  const workers = new Workers({ count: config.processes, env: { [UPSTREAM_VARIABLE]: socket }, grace: config.drainTimeout, log: log.child({ name: 'workers' }) })
  const disco = await createDisco({ ...config, socket, others: workers, log })
  const stop = async (): Promise<void> => {
    disco.drain()
    await workers.stop()
    await disco.stop()
  }
  // The workers first, then what serves them.
  onShutdown(stop, 2 * (config.drainTimeout + CLOSE_TIMEOUT))
  onHangup(config, log, () => {
    disco.reload()
    void workers.reload()
  })
  try {
    await disco.start({ onNode: (info, others) => console.log(nodeLines(config, info, others)) })
    const address = await workers.start()
    disco.announce(address)
    console.log(addressLine(address))
  } catch (error) {
    await stop()
    throw error
  }
}

function socketPath(data: string): string {
  const path = join(data, 'network.sock')
  if (path.length <= LONGEST_SOCKET_PATH) return path
  return join(tmpdir(), `disco-${createHash('sha256').update(data).digest('hex').slice(0, 16)}.sock`)
}
