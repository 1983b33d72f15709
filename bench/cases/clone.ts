import { runClient, whilePacing } from '../client.ts'
import { manifestPath, megabytesPerSecond } from '../jobs.ts'
import type { Server } from '../server.ts'
import { MEBIBYTE, type Case, type Goal } from './case.ts'
import { provideImage, warm } from './image.ts'

export const cloneByGateway: Case = cloneCase('clone-gateway', 'gateway', ({ port }) => `http://127.0.0.1:${port}`, [{ atLeast: 400 }])
export const cloneByBitswap: Case = cloneCase('clone-bitswap', 'bitswap', multiaddr, [])

/** A pull by CID from a Disco that has nothing, from one that has it all. */
function cloneCase(name: string, way: string, address: (server: Server) => string, goals: readonly Goal[]): Case {
  return {
    name,
    peers: ['disco'],
    metrics: {
      speed: { title: `Clone of 256 MiB by ${way}`, unit: 'MB/s', goals },
      p99: { title: '… manifest GETs on the serving side, 99%', unit: 'ms', digits: 1, goals: goals.length > 0 ? [{ atMost: 50 }] : [] },
      memory: { title: '… peak memory of the cloning side', unit: 'MB', goals: [] },
    },
    async run({ peer, start }) {
      const serving = await start()
      const image = await provideImage(peer, serving, [256 * MEBIBYTE])
      const cloning = await start(['--peer', address(serving)])
      const [result, pace] = await whilePacing(serving.port, manifestPath(image), () =>
        runClient<'pull'>({ kind: 'pull', port: cloning.port, image, streams: 1, times: 1, verify: false }))
      await warm(cloning, image)
      return { speed: megabytesPerSecond(result), p99: pace.p99, memory: Math.max(...(await cloning.peakMemory())) / 1e6 }
    },
  }
}

/** The TCP address that Disco tells when it starts. */
function multiaddr(server: Server): string {
  const address = /\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/\w+/.exec(server.output())?.[0]
  if (address === undefined) throw new Error(`no multiaddr in what Disco told at its start: ${server.output()}`)
  return address
}
