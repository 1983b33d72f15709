import { runClient, startClient, whilePacing } from '../client.ts'
import { manifestPath, megabytesPerSecond } from '../jobs.ts'
import { MEBIBYTE, type Case } from './case.ts'
import { cidOf, provideImage } from './image.ts'

export const push1: Case = {
  name: 'push1',
  peers: ['docker-registry', 'distribution', 'disco'],
  metrics: {
    speed: {
      title: 'Push, one layer of 512 MiB',
      unit: 'MB/s',
      goals: [{ against: 'docker-registry', atLeast: 2 }, { against: 'distribution', atLeast: 1.2 }],
    },
  },
  async run({ peer, start }) {
    const server = await start()
    await provideImage(peer, server, [MEBIBYTE])
    const result = await runClient<'push'>({
      kind: 'push',
      port: server.port,
      images: [{ name: 'push1', tag: 'latest', layers: [512 * MEBIBYTE] }],
    })
    if (peer.global) await cidOf(server.port, result.digests[0] ?? '')
    return { speed: megabytesPerSecond(result) }
  },
}

export const push8: Case = {
  name: 'push8',
  peers: ['docker-registry', 'distribution', 'disco', 'disco-2'],
  metrics: {
    speed: {
      title: 'Push, eight of 256 MiB at once',
      unit: 'MB/s',
      goals: [{ against: 'docker-registry', atLeast: 1.5 }, { against: 'distribution', atLeast: 0.8 }],
    },
    p99: { title: '… manifest GETs meanwhile, 99%', unit: 'ms', digits: 1, goals: [{ atMost: 50 }] },
    memory: { title: '… peak memory of the largest process', unit: 'MB', goals: [{ atMost: 300 }] },
  },
  async run({ peer, start }) {
    const server = await start()
    const other = await provideImage(peer, server, [MEBIBYTE])
    const images = Array.from({ length: 8 }, (_, index) => ({ name: `push8/${index}`, tag: 'latest', layers: [256 * MEBIBYTE] }))
    const client = await startClient<'push'>({ kind: 'push', port: server.port, images })
    const [result, pace] = await whilePacing(server.port, manifestPath(other), () => client.go())
    if (peer.global) for (const digest of result.digests) await cidOf(server.port, digest)
    return { speed: megabytesPerSecond(result), p99: pace.p99, memory: Math.max(...(await server.peakMemory())) / 1e6 }
  },
}
