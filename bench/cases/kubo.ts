import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { runClient } from '../client.ts'
import { megabytesPerSecond } from '../jobs.ts'
import { writeLayout } from '../oci-layout.ts'
import { IPFS } from '../peers.ts'
import { cpuSeconds } from '../processes.ts'
import type { Server } from '../server.ts'
import { MEBIBYTE, type Case } from './case.ts'
import { cidOf, provideImage, warm } from './image.ts'

const LAYERS = [128 * MEBIBYTE, 128 * MEBIBYTE]
const TOTAL = LAYERS.reduce((sum, size) => sum + size, 0)
/** `unixfs-v1-2025` (IPIP-499). */
export const PROFILE: readonly string[] = ['--cid-version=1', '--raw-leaves', '--chunker=size-1048576', '--max-file-links=1024', '--pin=false']
/** Sends layers beside each other and again when they fail, as clients do; the original needs both to be borne with. */
export const CRANE: string = fileURLToPath(new URL('../../.tools/bin/crane', import.meta.url))
const run = promisify(execFile)

export const pushToKubo: Case = {
  name: 'kubo-push',
  peers: ['disco-kubo', 'go-disco', 'kubo'],
  metrics: {
    speed: {
      title: 'Push to Kubo by crane, two layers of 128 MiB; `ipfs add` of them',
      unit: 'MB/s',
      goals: [{ against: 'go-disco', atLeast: 6 }, { against: 'kubo', atLeast: 0.8 }],
    },
    own: { title: '… CPU of the registry alone', unit: 's/GB', digits: 2, goals: [] },
    node: { title: '… CPU of Kubo', unit: 's/GB', digits: 2, goals: [] },
    memory: { title: '… peak memory of the registry alone', unit: 'MB', goals: [{ atMost: 300 }] },
  },
  async run({ peer, start, directory }) {
    const server = await start()
    const { kubo, pid } = server
    if (kubo === undefined) throw new Error('no Kubo')
    const image = await writeLayout(directory, LAYERS)
    const bare = peer.id === 'kubo'
    if (!bare) await provideImage(peer, server, [MEBIBYTE])
    const push = (): Promise<unknown> =>
      bare ? kubo.ipfs('add', '-Q', ...PROFILE, ...image.layers) : run(CRANE, ['push', '--insecure', image.directory, `127.0.0.1:${server.port}/push:latest`])
    const before = { own: await cpuSeconds(pid), node: await cpuSeconds(kubo.pid) }
    const begun = performance.now()
    await push()
    const speed = TOTAL / 1e3 / (performance.now() - begun)
    const node = (await cpuSeconds(kubo.pid) - before.node) / (TOTAL / 1e9)
    if (bare) return { speed, node }
    const own = (await cpuSeconds(pid) - before.own) / (TOTAL / 1e9)
    await cidOf(server.port, image.digest)
    return { speed, own, node, memory: Math.max(...(await server.peakMemory())) / 1e6 }
  },
}

export const pullFromKubo: Case = {
  name: 'kubo-pull',
  peers: ['disco-kubo', 'go-disco', 'kubo'],
  metrics: { speed: { title: 'Pull from Kubo, one layer of 256 MiB; `ipfs cat` of it', unit: 'MB/s', goals: [{ against: 'kubo', atLeast: 0.9 }] } },
  async run({ peer, start, directory }) {
    const server = await start()
    if (peer.id === 'kubo') return { speed: await cat(server, (await writeLayout(directory, [TOTAL])).layers) }
    const image = await provideImage(peer, server, [TOTAL])
    await warm(server, image)
    return { speed: megabytesPerSecond(await runClient<'pull'>({ kind: 'pull', port: server.port, image, streams: 1, times: 2, verify: false })) }
  },
}

async function cat({ kubo }: Server, files: readonly string[]): Promise<number> {
  if (kubo === undefined) throw new Error('no Kubo')
  const cid = await kubo.ipfs('add', '-Q', ...PROFILE, ...files)
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
