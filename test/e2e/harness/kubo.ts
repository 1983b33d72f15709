import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { ROOT } from './command.ts'

const IPFS = join(ROOT, '.tools/bin/ipfs')
const run = promisify(execFile)

/** Nothing but loopback: nobody to bootstrap from, nothing announced, nothing looked up. */
const CONFIG = {
  'Addresses.Swarm': ['/ip4/127.0.0.1/tcp/0'],
  'Addresses.API': '/ip4/127.0.0.1/tcp/0',
  'Addresses.Gateway': [],
  'AutoConf.Enabled': false,
  'AutoNAT.ServiceMode': 'disabled',
  'AutoTLS.Enabled': false,
  Bootstrap: [],
  'Discovery.MDNS.Enabled': false,
  'DNS.Resolvers': {},
  'HTTPRetrieval.Enabled': false,
  'Ipns.DelegatedPublishers': [],
  'Routing.DelegatedRouters': [],
  'Routing.Type': 'none',
  'Swarm.DisableNatPortMap': true,
  'Swarm.RelayClient.Enabled': false,
  'Swarm.RelayService.Enabled': false,
  'Swarm.Transports.Network.Relay': false,
} as const

export interface KuboOptions {
  /** Whose network it is in, in Kubo's format. @default none: loopback is all it knows */
  readonly swarmKey?: string | undefined
  /** Of its configuration, over those that keep it to itself: `'Provide.Strategy'`. */
  readonly config?: Readonly<Record<string, unknown>> | undefined
  /** What its `API.Authorizations` want, in its format: `basic:user:password`. */
  readonly apiAuth?: string | undefined
  /** Of its process, over that of this one. */
  readonly env?: Readonly<Record<string, string>> | undefined
}

/** A real Kubo on loopback, which knows nobody that it was not given. */
export class Kubo {
  /** Of its RPC. */
  url = ''
  /** Of its swarm, peer id included. */
  addresses: readonly string[] = []
  /** Of its gateway, where `'Addresses.Gateway'` gives it one. */
  gateway: string | undefined
  readonly repository: string
  readonly #environment: NodeJS.ProcessEnv
  #daemon: ChildProcess | undefined

  readonly #global: readonly string[]

  private constructor(repository: string, { swarmKey, env = {}, apiAuth }: KuboOptions) {
    this.repository = repository
    this.#global = apiAuth === undefined ? [] : ['--api-auth', apiAuth]
    this.#environment = { ...process.env, ...env, IPFS_PATH: repository, IPFS_TELEMETRY: 'off', ...(swarmKey === undefined ? {} : { LIBP2P_FORCE_PNET: '1' }) }
  }

  static async start(options: KuboOptions = {}): Promise<Kubo> {
    const { swarmKey, config = {} } = options
    const repository = await mkdtemp(join(tmpdir(), 'disco-kubo-'))
    const kubo = new Kubo(repository, options)
    await kubo.ipfs('init', '--empty-repo')
    for (const [key, value] of Object.entries({ ...CONFIG, ...config })) await kubo.ipfs('config', '--json', key, JSON.stringify(value))
    if (swarmKey !== undefined) await writeFile(join(repository, 'swarm.key'), swarmKey)
    await kubo.up()
    // Where it was is where it shall be again.
    await kubo.ipfs('config', '--json', 'Addresses.API', JSON.stringify(`/ip4/127.0.0.1/tcp/${new URL(kubo.url).port}`))
    return kubo
  }

  /** Starts the daemon, again after `down` or `kill`, at the same address. */
  async up(): Promise<void> {
    const daemon = spawn(IPFS, ['daemon'], { env: this.#environment, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#daemon = daemon
    let said = ''
    daemon.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)))
    let ready = false
    for await (const line of createInterface({ input: daemon.stdout })) if ((ready = line.includes('Daemon is ready'))) break
    if (!ready) throw new Error(`Kubo did not start:\n${said}`)
    daemon.stdout.resume()
    this.url = urlOf(await readFile(join(this.repository, 'api'), 'utf8'))
    this.gateway = await readFile(join(this.repository, 'gateway'), 'utf8').then((url) => url.trim(), () => undefined)
    const { Addresses } = JSON.parse(await this.ipfs('id')) as { Addresses: string[] | null }
    this.addresses = Addresses ?? []
  }

  /** Connects two, both ways. */
  async connect(other: Kubo): Promise<void> {
    await this.ipfs('swarm', 'connect', other.addresses[0] ?? '')
  }

  /** `ipfs <args>` at it; what it printed. @throws Error with what it said */
  async ipfs(...args: readonly string[]): Promise<string> {
    return (await this.ipfsBytes(...args)).toString().trim()
  }

  async ipfsBytes(...args: readonly string[]): Promise<Buffer> {
    return (await run(IPFS, [...this.#global, ...args], { env: this.#environment, encoding: 'buffer', maxBuffer: 256 * 1024 * 1024 })).stdout
  }

  get pid(): number {
    return this.#daemon?.pid ?? 0
  }

  /** Stops the daemon; what it has stays. */
  down(): Promise<void> {
    return this.#end('SIGTERM')
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  async remove(): Promise<void> {
    await this.#end('SIGKILL')
    await rm(this.repository, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const daemon = this.#daemon
    this.#daemon = undefined
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return
    daemon.kill(signal)
    await once(daemon, 'exit')
    if (signal === 'SIGKILL') await rm(join(this.repository, 'repo.lock'), { force: true })
  }
}

/** `/ip4/127.0.0.1/tcp/5001` */
function urlOf(multiaddr: string): string {
  const [, , host, , port] = multiaddr.trim().split('/')
  return `http://${host}:${port}`
}
