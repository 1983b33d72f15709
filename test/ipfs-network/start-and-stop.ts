import { EmbeddedNetwork } from '../../src/ipfs/embedded/network.ts'
import type { Logger } from '../../src/telemetry/logger.ts'

/** Run by a test as a process of its own: `<mode> <directory> <milliseconds to run>`. */
const [mode, directory = '', milliseconds] = process.argv.slice(2)

const warnings: unknown[] = []
const warn = (...what: unknown[]): void => void warnings.push(what.at(-1))
const log: Logger = { debug: () => {}, info: () => {}, warn, error: warn, child: () => log }

const network = new EmbeddedNetwork({
  options: {
    mode: mode === 'public' ? 'public' : 'private',
    directory,
    ...(mode === 'public' ? {} : { listen: ['/ip4/127.0.0.1/tcp/0'] }),
  },
  blocks: { get: async () => undefined, has: async () => false },
  queue: { due: () => [], provided: async () => {} },
  session: () => {
    throw new Error('no sessions here')
  },
  log,
})
const start = Date.now()
await network.start()
const startedIn = Date.now() - start
await new Promise((resolve) => setTimeout(resolve, Number(milliseconds)))
const stop = Date.now()
await network.stop()
console.log(JSON.stringify({ startedIn, stoppedIn: Date.now() - stop, warnings }))
