import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import type { Case } from './cases/case.ts'
import { cloneByBitswap, cloneByGateway } from './cases/clone.ts'
import { disk } from './cases/disk.ts'
import { pullFromKubo, pushToKubo } from './cases/kubo.ts'
import { cloneAndPull, cloneToKubo } from './cases/kubo-clone.ts'
import { lists } from './cases/lists.ts'
import { manifests } from './cases/manifests.ts'
import { pull1, pull8 } from './cases/pull.ts'
import { push1, push8 } from './cases/push.ts'
import { pullFromBucket, pullRedirected, pushToBucket } from './cases/bucket.ts'
import { wrkInstalled } from './hammer.ts'
import { PEERS, type PeerId } from './peers.ts'
import { machine, table, type Measured, type Round, type VersionedPeer } from './report.ts'
import type { Server } from './server.ts'

const CASES: readonly Case[] = [push1, push8, pull1, pull8, manifests, cloneByGateway, cloneByBitswap, disk, lists, pushToKubo, pullFromKubo, cloneToKubo, cloneAndPull, ...pushToBucket, ...pullFromBucket, ...pullRedirected]
const USAGE = `bench [filter] [--runs N] [--peers id,id] [--dir DIRECTORY]

  filter   only cases whose name contains it: ${CASES.map(({ name }) => name).join(' ')}
  --runs   rounds; in each, every registry has its turn (default 5)
  --peers  only these: ${PEERS.map(({ id }) => id).join(' ')}
  --dir    where their data lies (default: the system's directory for temporary files)
`
const run = promisify(execFile)

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '5' },
    peers: { type: 'string' },
    dir: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(USAGE)
else await bench(CASES.filter(({ name }) => name.includes(positionals[0] ?? '')), Number(values.runs))

async function bench(cases: readonly Case[], runs: number): Promise<void> {
  const peers = await installedPeers(values.peers?.split(','))
  if (!(await wrkInstalled())) warn('wrk is NOT installed (apt-get install wrk): the manifest figures come from a client of our own, which needs more CPU and flatters nobody')
  const measured: Measured[] = []
  for (const one of cases) measured.push({ case: one, rounds: await measure(one, peers, runs) })
  const { stdout } = await run('df', ['--output=fstype', values.dir])
  process.stdout.write(`${machine(stdout.trim().split('\n').at(-1) ?? '')}, ${runs} rounds\n\n${table(measured, peers)}\n`)
}

async function installedPeers(wanted: readonly string[] | undefined): Promise<VersionedPeer[]> {
  const found: VersionedPeer[] = []
  for (const peer of PEERS.filter(({ id }) => wanted?.includes(id) ?? true)) {
    try {
      found.push({ peer, version: await peer.version() })
    } catch {
      warn(`${peer.title} is NOT installed (${peer.install}): measuring without it`)
    }
  }
  return found
}

/** A B C A B C …, so that what slows the machine down for a while slows all of them down. */
async function measure(one: Case, peers: readonly VersionedPeer[], runs: number): Promise<Map<string, Round[]>> {
  const rounds = new Map<string, Round[]>(Object.keys(one.metrics).map((key) => [key, []]))
  for (let index = 0; index < runs; index++) {
    const round = new Map<string, Map<PeerId, number>>([...rounds.keys()].map((key) => [key, new Map()]))
    for (const { peer } of peers.filter(({ peer: { id } }) => one.peers.includes(id))) {
      try {
        const numbers = Object.entries(await runOnce(one, peer))
        for (const [key, value] of numbers) round.get(key)?.set(peer.id, value)
        warn(`${one.name} ${index + 1}/${runs} ${peer.id}: ${numbers.map(([key, value]) => `${key} ${value.toFixed(2)}`).join(', ')}`)
      } catch (error) {
        warn(`${one.name} ${index + 1}/${runs} ${peer.id}: FAILED: ${String(error)}`)
        process.exitCode = 1
      }
    }
    for (const [key, byPeer] of round) rounds.get(key)?.push(byPeer)
  }
  return rounds
}

async function runOnce(one: Case, peer: VersionedPeer['peer']): Promise<Readonly<Record<string, number>>> {
  const root = await mkdtemp(join(values.dir, 'bench-'))
  const servers: Server[] = []
  try {
    return await one.run({
      peer,
      directory: await mkdtemp(join(root, 'files-')),
      start: async (extra) => {
        const server = await peer.start(await mkdtemp(join(root, 'data-')), extra)
        servers.push(server)
        return server
      },
    })
  } finally {
    for (const server of servers.reverse()) await server.stop()
    await rm(root, { recursive: true, force: true })
    // What this run left to be written must not be written during the next.
    await run('sync')
  }
}

function warn(text: string): void {
  process.stderr.write(`${text}\n`)
}
