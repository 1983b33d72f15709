import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { runClient } from '../client.ts'
import { manifestPath, type ImageReference } from '../jobs.ts'
import { writeLayout, type Layout } from '../oci-layout.ts'
import { GO_CACHE } from '../peers.ts'
import { cpuSeconds } from '../processes.ts'
import type { Server } from '../server.ts'
import { MEBIBYTE, type Bench, type Case, type Metric } from './case.ts'
import { cidOf } from './image.ts'
import { CRANE, PROFILE } from './kubo.ts'

const LAYERS = [128 * MEBIBYTE, 128 * MEBIBYTE]
const TOTAL = LAYERS.reduce((sum, size) => sum + size, 0)
const run = promisify(execFile)

const COSTS: Readonly<Record<string, Metric>> = {
  own: { title: '… CPU of the registry alone that clones', unit: 's/GB', digits: 2, goals: [] },
  node: { title: '… CPU of its Kubo', unit: 's/GB', digits: 2, goals: [] },
  memory: { title: '… peak memory of the registry alone', unit: 'MB', goals: [{ atMost: 300 }] },
}

/** What `ipfs pin add` is: it ends when everything is here. */
export const cloneToKubo: Case = {
  name: 'kubo-clone',
  peers: ['disco-kubo', 'kubo'],
  metrics: {
    speed: { title: 'Clone of two layers of 128 MiB from Kubo to Kubo, until it is stored; `ipfs pin add` of them', unit: 'MB/s', goals: [{ against: 'kubo', atLeast: 0.9 }] },
    ...COSTS,
  },
  run: (bench) => cloning(bench, async (server, image, digest) => {
    await fetch(`http://127.0.0.1:${server.port}${manifestPath(image)}`, { method: 'HEAD', headers: { Accept: '*/*' } })
    // Each question is one for the Kubo under way, too.
    while (!(await isStored(server, digest))) await sleep(50)
  }),
}

/** The original fetches a blob when it is read, so that a pull is all that can be compared. */
export const cloneAndPull: Case = {
  name: 'kubo-clone-pull',
  peers: ['disco-kubo', 'go-disco', 'kubo'],
  metrics: {
    speed: { title: '… and pulled at once', unit: 'MB/s', goals: [{ against: 'go-disco', atLeast: 2.5 }] },
    ...COSTS,
  },
  run: (bench) => cloning(bench, async (server, image) => {
    await runClient<'pull'>({ kind: 'pull', port: server.port, image, streams: 1, times: 1, verify: false })
  }),
}

async function cloning({ peer, start, directory }: Bench, clone: (server: Server, image: ImageReference, digest: string) => Promise<void>): Promise<Record<string, number>> {
  const extra = peer.id === 'go-disco' ? [GO_CACHE] : []
  const [serving, server] = [await start(extra), await start(extra)]
  const [from, to] = [serving.kubo, server.kubo]
  if (from === undefined || to === undefined) throw new Error('no Kubo')
  await to.connect(from)
  const layout = await writeLayout(directory, LAYERS)
  const bare = peer.id === 'kubo'
  const cids = bare ? (await from.ipfs('add', '-q', ...PROFILE, ...layout.layers)).split('\n') : []
  const image = bare ? undefined : await push(serving, layout)
  const before = { own: await cpuSeconds(server.pid), node: await cpuSeconds(to.pid) }
  const begun = performance.now()
  if (image === undefined) await Promise.all(cids.map((cid) => to.ipfs('pin', 'add', cid)))
  else await clone(server, image, layout.digest)
  const speed = TOTAL / 1e3 / (performance.now() - begun)
  const node = (await cpuSeconds(to.pid) - before.node) / (TOTAL / 1e9)
  if (bare) return { speed, node }
  return { speed, node, own: (await cpuSeconds(server.pid) - before.own) / (TOTAL / 1e9), memory: Math.max(...(await server.peakMemory())) / 1e6 }
}

async function push({ port }: Server, { directory, digest }: Layout): Promise<ImageReference> {
  await run(CRANE, ['push', '--insecure', directory, `127.0.0.1:${port}/bench:latest`])
  return { name: await cidOf(port, digest), reference: 'latest' }
}

async function isStored({ port }: Server, digest: string): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/v2/${digest.slice('sha256:'.length)}/tags/list`)
  await answer.arrayBuffer()
  return answer.ok
}
