import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { ROOT, run } from './command.ts'

export interface DiscoOptions {
  readonly data: string
  /** Gateways (`http://…`) and multiaddrs. */
  readonly peers?: readonly string[]
  /** Nodes to store into, by the URLs of their RPC; they are the network then. */
  readonly kubos?: readonly { readonly url: string }[]
  /** @default an unused one */
  readonly port?: number
  readonly args?: readonly string[]
  /** Whether `args` give it a certificate; its CA is one that this process trusts. @default false */
  readonly tls?: boolean
  readonly env?: Readonly<Record<string, string>>
}

/** One running server with all its processes. */
export interface DiscoServer {
  /** `127.0.0.1:<port>`: what stands before an image's name. */
  readonly host: string
  readonly url: string
  readonly port: number
  readonly data: string
  /** Of its first process. */
  readonly pid: number
  /** What it has written so far to both outputs. */
  log(): string
  /** The multiaddr, peer id included, under which other nodes reach it. */
  multiaddr(): string
  /** Asks it to stop, waits, and fails when it has not within 20 s. */
  stop(): Promise<void>
  /** `kill -9` for every process of it. */
  kill(): Promise<void>
}

const READY_MS = 30_000
const STOP_MS = 20_000
const GONE_MS = 2_000

/** Starts a server in the private network (or with Kubos that are), on loopback only, and waits until it answers. */
export async function startDisco(options: DiscoOptions): Promise<DiscoServer> {
  const port = options.port ?? (await unusedPort())
  const peers = (options.peers ?? []).flatMap((peer) => ['--peer', peer])
  const place = ['--host', '127.0.0.1', '--port', String(port), '--data', options.data]
  const own = ['--network', 'private', '--listen', '/ip4/127.0.0.1/tcp/0']
  const network = options.kubos?.flatMap(({ url }) => ['--kubo', url]) ?? own
  const args = ['src/cli/main.ts', 'serve', ...place, ...network, ...peers, ...(options.args ?? [])]
  // A process group of its own, so that kill() takes its children along.
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (log += text))
  }
  const closed = once(child, 'close')
  const url = `${options.tls === true ? 'https' : 'http'}://127.0.0.1:${port}`
  const server: DiscoServer = {
    host: `127.0.0.1:${port}`,
    url,
    port,
    data: options.data,
    pid: child.pid ?? 0,
    log: () => log,
    multiaddr: () => {
      const found = /\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/\w+/.exec(log)
      if (found === null) throw new Error(`no multiaddr in the start-up lines:\n${log}`)
      return found[0]
    },
    stop: async () => {
      child.kill('SIGTERM')
      const late = await Promise.race([closed.then(() => false), sleep(STOP_MS, true, { ref: false })])
      if (!late) return
      killGroup(child)
      throw new Error(`still running ${STOP_MS} ms after SIGTERM:\n${log}`)
    },
    kill: async () => {
      killGroup(child)
      await closed
      await groupGone(child)
    },
  }
  try {
    await answering(url, child)
  } catch (cause) {
    await server.kill()
    throw new Error(`the server did not start:\n${log}`, { cause })
  }
  return server
}

/** Runs a command of the command line on a data directory. */
export function disco(command: readonly string[], data: string): Promise<string> {
  return run(process.execPath, ['src/cli/main.ts', ...command, '--data', data])
}

async function answering(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_MS
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`exit ${child.exitCode}`)
    const response = await fetch(`${url}/v2/`).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.status === 200 || response?.status === 401) return
    await sleep(20)
  }
  throw new Error(`no answer within ${READY_MS} ms`)
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Processes may take a while to end, and a zombie stays for as long as it is not looked after: so not for ever. */
async function groupGone({ pid }: ChildProcess): Promise<void> {
  if (pid === undefined) return
  const deadline = Date.now() + GONE_MS
  while (Date.now() < deadline) {
    try {
      process.kill(-pid, 0)
    } catch {
      return
    }
    await sleep(5)
  }
}

export async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
