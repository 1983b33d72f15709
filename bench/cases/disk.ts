import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { MEBIBYTE, type Case } from './case.ts'
import { provideImage } from './image.ts'

const LAYERS = 4
const LAYER = 64 * MEBIBYTE
const run = promisify(execFile)

export const disk: Case = {
  name: 'disk',
  peers: ['docker-registry', 'distribution', 'disco'],
  metrics: {
    cost: {
      title: 'Bytes on disk for each of an image, 4 layers of 64 MiB',
      unit: '',
      digits: 4,
      goals: [{ atMost: 1.01 + (LAYERS * 64 * 1024) / (LAYERS * LAYER) }],
    },
  },
  async run({ peer, start }) {
    const server = await start()
    await provideImage(peer, server, Array.from({ length: LAYERS }, () => LAYER))
    const { stdout } = await run('du', ['-s', '--block-size=1', server.dataDirectory])
    return { cost: Number(stdout.split('\t')[0]) / (LAYERS * LAYER) }
  },
}
