import { hammer } from '../hammer.ts'
import { manifestPath } from '../jobs.ts'
import { MEBIBYTE, type Case } from './case.ts'
import { provideImage } from './image.ts'

export const manifests: Case = {
  name: 'manifests',
  peers: ['docker-registry', 'distribution', 'disco', 'disco-2', 'disco-guarded'],
  metrics: {
    rate: {
      title: 'Manifest GET by tag, 32 connections',
      unit: '1/s',
      goals: [{ against: 'docker-registry', atLeast: 10 }, { against: 'distribution', atLeast: 3 }],
    },
  },
  async run({ peer, start }) {
    const server = await start()
    const path = manifestPath(await provideImage(peer, server, [MEBIBYTE]))
    await hammer(server.port, path, 32, 1)
    return { rate: await hammer(server.port, path, 32, 4) }
  },
}
