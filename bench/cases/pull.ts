import { runClient } from '../client.ts'
import { megabytesPerSecond } from '../jobs.ts'
import { MEBIBYTE, type Case } from './case.ts'
import { provideImage, warm } from './image.ts'

export const pull1: Case = pullCase('pull1', 'Pull, one stream of 512 MiB', 1, 4, 512 * MEBIBYTE, 0.95)
export const pull8: Case = pullCase('pull8', 'Pull, eight streams of 256 MiB', 8, 2, 256 * MEBIBYTE, 1.1)

function pullCase(name: string, title: string, streams: number, times: number, size: number, atLeast: number): Case {
  return {
    name,
    peers: streams === 1 ? ['docker-registry', 'distribution', 'disco', 'disco-guarded'] : ['docker-registry', 'distribution', 'disco', 'disco-2', 'disco-guarded'],
    metrics: { speed: { title, unit: 'MB/s', goals: [{ against: 'best peer', atLeast }] } },
    async run({ peer, start }) {
      const server = await start()
      const image = await provideImage(peer, server, [size])
      await warm(server, image)
      const result = await runClient<'pull'>({ kind: 'pull', port: server.port, image, streams, times, verify: false })
      return { speed: megabytesPerSecond(result) }
    },
  }
}
