import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TOOL_PATH, attempt, run, type CommandOptions, type CommandResult } from './command.ts'
import { withEtc } from './etc.ts'

/** A real Docker daemon with its own storage: what one has pulled, another has not. */
export interface Docker {
  docker(...args: readonly string[]): Promise<string>
  tryDocker(...args: readonly string[]): Promise<CommandResult>
  stop(): Promise<void>
}

export interface DockerOptions {
  /** How the daemon keeps images; Debian's Docker knows the classic way alone, so the other is a newer one's. @default 'classic' */
  readonly store?: 'classic' | 'containerd'
  /** What daemon and command shall find in /etc, see withEtc. */
  readonly etc?: string | undefined
}

const READY_MS = 60_000

/** Starts a daemon without any network of its own; registries on loopback need no TLS. */
export async function startDocker({ store = 'classic', etc }: DockerOptions = {}): Promise<Docker> {
  // Not below the suite's directory: a socket's path may have 107 characters at most.
  const dir = await mkdtemp('/tmp/disco-docker-')
  const socket = `unix://${dir}/s`
  await mkdir(join(dir, 'client'))
  await writeFile(join(dir, 'daemon.json'), '{}')
  const files = ['--config-file', join(dir, 'daemon.json'), '--pidfile', join(dir, 'pid'), '-H', socket]
  const roots = ['--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec')]
  const isolation = ['--bridge=none', '--iptables=false', '--ip6tables=false']
  const [command, args] = withEtc(etc, store === 'classic' ? 'dockerd' : 'moby-dockerd', [...files, ...roots, ...isolation])
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Debian's command speaks an older API than a newer daemon likes.
    env: { ...process.env, PATH: TOOL_PATH, DOCKER_MIN_API_VERSION: '1.24' },
  })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (log += text))
  }
  const closed = once(child, 'close')
  const options: CommandOptions = { env: { DOCKER_HOST: socket, DOCKER_CONFIG: join(dir, 'client') }, timeout: 300_000 }
  const daemon: Docker = {
    docker: (...args) => run(...withEtc(etc, 'docker', args), options),
    tryDocker: (...args) => attempt(...withEtc(etc, 'docker', args), options),
    stop: async () => {
      child.kill('SIGTERM')
      await closed
      await rm(dir, { recursive: true, force: true })
    },
  }
  const deadline = Date.now() + READY_MS
  while ((await daemon.tryDocker('version')).code !== 0) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await daemon.stop()
      throw new Error(`dockerd did not start:\n${log.slice(-3000)}`)
    }
    await sleep(200)
  }
  return daemon
}

/** Pushes what the daemon has under the name, and gives the digest that Docker reports. */
export async function dockerPush({ docker }: Pick<Docker, 'docker'>, name: string): Promise<string> {
  const said = await docker('push', name)
  const digest = /digest: (sha256:[0-9a-f]{64})/.exec(said)?.[1]
  if (digest === undefined) throw new Error(`docker push told no digest:\n${said}`)
  return digest
}
