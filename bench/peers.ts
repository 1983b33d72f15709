import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onBucket as bucketFlags } from '../test/e2e/harness/bucket-flags.ts'
import { Kubo } from '../test/e2e/harness/kubo.ts'
import { distributionOnBucket, onBucket } from './bucket-peers.ts'
import { DISTRIBUTION, DOCKER_REGISTRY, distribution } from './distribution.ts'
import { passwordLine } from './login.ts'
import { peakMemory } from './processes.ts'
import { freePort, startServer, type Command, type Server } from './server.ts'

export type PeerId = 'docker-registry' | 'distribution' | 'disco' | 'disco-2' | 'disco-guarded' | 'disco-kubo' | 'go-disco' | 'kubo' | 'docker-registry-s3' | 'distribution-s3' | 'disco-s3'

/** One of the registries that are measured. */
export interface Peer {
  readonly id: PeerId
  readonly title: string
  /** Where it comes from, for whoever lacks it. */
  readonly install: string
  /** Gives every image a name by CID. */
  readonly global: boolean
  version(): Promise<string>
  /** Starts it in an empty directory; `extra` are arguments of Disco's own. */
  start(directory: string, extra?: readonly string[]): Promise<Server>
}

const DISCO = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))
export const IPFS: string = fileURLToPath(new URL('../.tools/bin/ipfs', import.meta.url))
const KUBO_INSTALL = 'npm test -- e2e builds Kubo'
const PRIVATE = ['--network', 'private', '--listen', '/ip4/127.0.0.1/tcp/0']
const run = promisify(execFile)

export const PEERS: readonly Peer[] = [
  distribution('docker-registry', DOCKER_REGISTRY),
  distribution('distribution', DISTRIBUTION),
  disco('disco', 'Disco', async () => []),
  disco('disco-2', 'Disco, 2 processes', async () => ['--processes', '2']),
  disco('disco-guarded', 'Disco, with login, rules, metrics and access log', guarded),
  onKubo('disco-kubo', 'Disco on Kubo', 'it is this repository', async (directory, url, extra) => discoCommand(directory, ['--kubo', url, ...extra])),
  onKubo('go-disco', 'The original Disco', 'name its binary in GO_DISCO', goDisco),
  onBucket('docker-registry-s3', { ...DOCKER_REGISTRY, title: 'docker-registry on S3' }, distributionOnBucket(DOCKER_REGISTRY)),
  onBucket('distribution-s3', { ...DISTRIBUTION, title: 'Distribution on S3' }, distributionOnBucket(DISTRIBUTION)),
  onBucket('disco-s3', { title: 'Disco on S3', install: 'it is this repository', version: revision }, async (directory, { options }, redirect) => {
    const { port, command } = await discoCommand(directory, PRIVATE)
    return { port, command: { ...command, env: bucketFlags(options, { redirect }) } }
  }),
  {
    id: 'kubo',
    title: 'Kubo alone',
    install: KUBO_INSTALL,
    global: false,
    version: kuboVersion,
    async start(directory) {
      const kubo = await Kubo.start()
      return { port: Number(new URL(kubo.url).port), dataDirectory: directory, pid: kubo.pid, kubo, output: () => '', peakMemory: () => peakMemory(kubo.pid), stop: () => kubo.remove() }
    },
  },
]

function disco(id: PeerId, title: string, options: (directory: string) => Promise<readonly string[]>): Peer {
  return {
    id,
    title,
    install: 'it is this repository',
    global: true,
    version: revision,
    async start(directory, extra = []) {
      const { port, command } = await discoCommand(directory, [...PRIVATE, ...await options(directory), ...extra])
      return await startServer(port, directory, command)
    },
  }
}

async function revision(): Promise<string> {
  return (await run('git', ['-C', fileURLToPath(new URL('.', import.meta.url)), 'rev-parse', '--short', 'HEAD'])).stdout.trim()
}

/** How one is started, and the port on which it answers then. */
export interface Started {
  readonly port: number
  readonly command: Command
}

async function discoCommand(directory: string, options: readonly string[]): Promise<Started> {
  const port = await freePort()
  const args = ['serve', '--host', '127.0.0.1', '--port', `${port}`, '--data', directory, ...options]
  // As `npm start` has it.
  return { port, command: { file: process.execPath, args: ['--max-semi-space-size=4', '--initial-old-space-size=128', DISCO, ...args] } }
}

/** A registry over a Kubo of its own. */
function onKubo(id: PeerId, title: string, install: string, command: (directory: string, url: string, extra: readonly string[]) => Promise<Started>): Peer {
  return {
    id,
    title,
    install: `${install}; ${KUBO_INSTALL}`,
    global: true,
    async version() {
      await command('', '', [])
      return `on ${await kuboVersion()}`
    },
    async start(directory, extra = []) {
      const kubo = await Kubo.start()
      try {
        const { port, command: started } = await command(directory, kubo.url, extra)
        const server = await startServer(port, directory, started)
        const stop = async (): Promise<void> => {
          await server.stop()
          await kubo.remove()
        }
        return { ...server, kubo, stop }
      } catch (error) {
        await kubo.remove()
        throw error
      }
    },
  }
}

/** It clones only where it has a cache. */
export const GO_CACHE: string = '--cache'

/** @throws Error where no binary of it is named */
async function goDisco(directory: string, url: string, extra: readonly string[]): Promise<Started> {
  const file = process.env['GO_DISCO']
  if (file === undefined) throw new Error('GO_DISCO is not set')
  const [port, inner] = [await freePort(), await freePort()]
  const config = join(directory, 'config.yaml')
  const cache = join(directory, 'cache')
  const cached = extra.includes(GO_CACHE) ? `, cache: { filesystem: { rootdirectory: ${JSON.stringify(cache)} } }` : ''
  if (directory !== '') {
    await mkdir(cache)
    await writeFile(config, [
      'version: 0.1',
      'log: { level: error }',
      `storage: { ipfs: { router: { nodes: [{ url: ${JSON.stringify(url)} }] }${cached} }, maintenance: { uploadpurging: { enabled: false } } }`,
      `http: { addr: ":${inner}", headers: { X-Content-Type-Options: [nosniff] } }`,
      '',
    ].join('\n'))
  }
  return { port, command: { file, args: [], env: { DISCO_PORT: `${port}`, REGISTRY_CONFIGURATION_PATH: config } } }
}

async function kuboVersion(): Promise<string> {
  return (await run(IPFS, ['version', '--number'])).stdout.trim()
}

/** What those have on who run a registry for others. */
async function guarded(directory: string): Promise<readonly string[]> {
  const users = join(directory, 'users')
  const config = join(directory, 'config.yml')
  await writeFile(users, await passwordLine())
  await writeFile(config, [
    'version: 0.1',
    `auth: { htpasswd: { realm: Disco, path: ${JSON.stringify(users)} } }`,
    "access: [{ repository: '**', users: ['*'], actions: ['*'] }, { repository: 'public/**', users: [anonymous], actions: [pull] }]",
    `http: { debug: { addr: "127.0.0.1:${await freePort()}" } }`,
    '',
  ].join('\n'))
  return ['--config', config]
}
