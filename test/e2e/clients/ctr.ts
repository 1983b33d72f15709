import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { attempt, run } from '../harness/command.ts'
import type { Client, LocalImage, Session } from './client.ts'
import { ociArchive } from './layout.ts'
import type { Place } from './place.ts'

const READY_MS = 30_000
/** They want kernel modules or Kubernetes' configuration. */
const WITHOUT = ['grpc.v1.cri', 'snapshotter.v1.btrfs', 'snapshotter.v1.zfs', 'snapshotter.v1.devmapper', 'snapshotter.v1.aufs']

export const ctr: Client = {
  name: 'containerd `ctr`',
  source: 'Debian',
  version: async () => (await run('ctr', ['--version'])).split(' ')[2] ?? '',
  setup: '`<dir>/<host>:<port>/hosts.toml` with `server`, `[host."…"]`, `capabilities = ["pull", "resolve", "push"]` and, for its own CA, `ca`; '
    + 'then `--hosts-dir <dir>`. Login: `--user name:password` at each command.',
  cannot: { copy: 'copies through its store', referrers: 'knows no referrers' },
  open: (place) => CtrSession.open(place),
}

/** A containerd of its own. */
class CtrSession implements Session {
  readonly #place: Place
  readonly #socket: string
  readonly #registry: readonly string[]
  readonly #stop: () => Promise<void>

  private constructor(place: Place, socket: string, registry: readonly string[], stop: () => Promise<void>) {
    this.#place = place
    this.#socket = socket
    this.#registry = registry
    this.#stop = stop
  }

  static async open(place: Place): Promise<CtrSession> {
    const hostsDirectory = join(place.directory, 'hosts')
    for (const host of place.hosts) {
      await mkdir(join(hostsDirectory, host), { recursive: true })
      await writeFile(join(hostsDirectory, host, 'hosts.toml'), hostsToml(host, place.ca))
    }
    const user = place.login === undefined ? [] : ['--user', `${place.login.username}:${place.login.password}`]
    const { socket, stop } = await startContainerd()
    return new CtrSession(place, socket, ['--hosts-dir', hostsDirectory, ...user], stop)
  }

  async push(image: LocalImage, reference: string): Promise<string> {
    await this.#images('import', '--all-platforms', '--snapshotter', 'native', await ociArchive(this.#place, image, reference))
    await this.#images('push', ...this.#registry, reference)
    return image.digest
  }

  async pull(reference: string, digest: string): Promise<void> {
    const known = (await this.#images('ls', '-q')).split('\n').filter((name) => name !== '')
    if (known.length > 0) await this.#images('rm', '--sync', ...known)
    await this.#images('pull', '--all-platforms', '--snapshotter', 'native', ...this.#registry, reference)
    const [, checked = ''] = (await this.#images('check', '--snapshotter', 'native', `name==${reference}`)).split('\n')
    assert.match(checked, new RegExp(`${digest} +complete `))
  }

  close(): Promise<void> {
    return this.#stop()
  }

  #images(...args: readonly string[]): Promise<string> {
    return run('ctr', ['-a', this.#socket, 'images', ...args])
  }
}

function hostsToml(host: string, ca: string | undefined): string {
  const server = `${ca === undefined ? 'http' : 'https'}://${host}`
  const lines = [`server = "${server}"`, `[host."${server}"]`, '  capabilities = ["pull", "resolve", "push"]']
  return [...lines, ...(ca === undefined ? [] : [`  ca = "${ca}"`]), ''].join('\n')
}

async function startContainerd(): Promise<{ socket: string; stop: () => Promise<void> }> {
  // A socket's path may have 107 characters at most.
  const directory = await mkdtemp('/tmp/disco-ctr-')
  const socket = join(directory, 's')
  const disabled = WITHOUT.map((name) => `"io.containerd.${name}"`).join(', ')
  const config = ['version = 2', `root = "${directory}/root"`, `state = "${directory}/state"`, `disabled_plugins = [${disabled}]`]
  await writeFile(join(directory, 'config.toml'), [...config, '[grpc]', `address = "${socket}"`, ''].join('\n'))
  const child = spawn('containerd', ['-c', join(directory, 'config.toml')], { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
  const closed = once(child, 'close')
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await closed
    await rm(directory, { recursive: true, force: true })
  }
  const deadline = Date.now() + READY_MS
  while ((await attempt('ctr', ['-a', socket, 'version'])).code !== 0) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop()
      throw new Error(`containerd did not start:\n${log.slice(-3000)}`)
    }
    await sleep(100)
  }
  return { socket, stop }
}
