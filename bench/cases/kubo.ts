import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { runClient } from '../client.ts'
import { createLayer, plain, type Layer } from '../content.ts'
import { megabytesPerSecond, type ImageReference } from '../jobs.ts'
import { cpuSeconds } from '../processes.ts'
import { IPFS } from '../peers.ts'
import type { Server } from '../server.ts'
import { MEBIBYTE, type Case } from './case.ts'
import { cidOf, provideImage, warm } from './image.ts'

const LAYERS = [128 * MEBIBYTE, 128 * MEBIBYTE]
const TOTAL = LAYERS.reduce((sum, size) => sum + size, 0)
/** `unixfs-v1-2025` (IPIP-499). */
const PROFILE = ['--cid-version=1', '--raw-leaves', '--chunker=size-1048576', '--max-file-links=1024', '--pin=false']

export const pushToKubo: Case = {
  name: 'kubo-push',
  peers: ['disco-kubo', 'go-disco', 'kubo'],
  metrics: {
    speed: {
      title: 'Push to Kubo, two layers of 128 MiB (`ipfs add`)',
      unit: 'MB/s',
      goals: [{ against: 'go-disco', atLeast: 6 }, { against: 'kubo', atLeast: 0.8 }],
    },
    own: { title: '… CPU of the registry alone', unit: 's/GB', digits: 2, goals: [] },
    node: { title: '… CPU of Kubo', unit: 's/GB', digits: 2, goals: [] },
    memory: { title: '… peak memory of the registry alone', unit: 'MB', goals: [{ atMost: 300 }] },
  },
  async run({ peer, start }) {
    const server = await start()
    const kubo = server.kubo
    if (kubo === undefined) throw new Error('no Kubo')
    if (peer.id === 'kubo') {
      const files = await Promise.all(LAYERS.map((size, index) => write(createLayer(size), join(server.dataDirectory, `${index}`))))
      const before = await cpuSeconds(kubo.pid)
      const begun = performance.now()
      await kubo.ipfs('add', '-Q', ...PROFILE, ...files)
      const speed = TOTAL / 1e3 / (performance.now() - begun)
      return { speed, node: (await cpuSeconds(kubo.pid) - before) / (TOTAL / 1e9) }
    }
    await provideImage(peer, server, [MEBIBYTE])
    const before = await Promise.all([cpuSeconds(server.pid), cpuSeconds(kubo.pid)])
    const result = await runClient<'push'>({ kind: 'push', port: server.port, images: [{ name: 'push', tag: 'latest', layers: LAYERS }] })
    const [own, node] = (await Promise.all([cpuSeconds(server.pid), cpuSeconds(kubo.pid)])).map((now, index) => (now - (before[index] ?? 0)) / (TOTAL / 1e9))
    await cidOf(server.port, result.digests[0] ?? '')
    return { speed: megabytesPerSecond(result), own: own ?? NaN, node: node ?? NaN, memory: Math.max(...(await server.peakMemory())) / 1e6 }
  },
}

export const pullFromKubo: Case = {
  name: 'kubo-pull',
  peers: ['disco-kubo', 'go-disco', 'kubo'],
  metrics: { speed: { title: 'Pull from Kubo, one layer of 256 MiB (`ipfs cat`)', unit: 'MB/s', goals: [{ against: 'kubo', atLeast: 0.9 }] } },
  async run({ peer, start }) {
    const server = await start()
    if (peer.id === 'kubo') return { speed: await cat(server) }
    const image: ImageReference = await provideImage(peer, server, [TOTAL])
    await warm(server, image)
    const result = await runClient<'pull'>({ kind: 'pull', port: server.port, image, streams: 1, times: 2, verify: false })
    return { speed: megabytesPerSecond(result) }
  },
}

async function cat({ kubo, dataDirectory }: Server): Promise<number> {
  if (kubo === undefined) throw new Error('no Kubo')
  const cid = await kubo.ipfs('add', '-Q', ...PROFILE, await write(createLayer(TOTAL), join(dataDirectory, 'layer')))
  const read = async (): Promise<void> => {
    // Into nothing, as the client of the others reads.
    const [code] = (await once(spawn(IPFS, ['cat', cid], { env: { ...process.env, IPFS_PATH: kubo.repository }, stdio: 'ignore' }), 'exit')) as [number]
    if (code !== 0) throw new Error(`ipfs cat left with ${code}`)
  }
  await read()
  const begun = performance.now()
  await read()
  return TOTAL / 1e3 / (performance.now() - begun)
}

async function write(layer: Layer, path: string): Promise<string> {
  await using file = await open(path, 'w')
  for (const block of plain(layer)) await file.write(block)
  return path
}
