import type { Authorizer } from '../auth/authorizer.ts'
import type { Config } from '../config/options.ts'
import { DebugServer } from '../http/debug-server.ts'
import { debugHealthPages, healthPages, metricsPage, type Page } from '../http/health-pages.ts'
import type { BlockReader, IpfsNetwork } from '../ipfs/node.ts'
import { observedReader } from '../ipfs/observed-blocks.ts'
import { observedSessions } from '../ipfs/observed-sessions.ts'
import type { Notifications } from '../notifications/notifications.ts'
import type { ObjectStore } from '../storage/object-store.ts'
import { ObservedStore } from '../storage/observed-store.ts'
import { Health, type Rotation } from '../telemetry/health.ts'
import type { AddGauge } from '../telemetry/gauge.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics, MetricsSnapshot } from '../telemetry/metrics.ts'
import type { OtherProcesses } from '../telemetry/other-processes.ts'
import type { Tracer } from '../telemetry/tracer.ts'
import { addChecks } from './health-checks.ts'
import { observedAuthorizer } from './observed-authorizer.ts'
import { observersOf, type Observers } from './observers.ts'
import { storageMetrics } from './storage-metrics.ts'
import { driverOf, type BuiltStorage } from './storage.ts'

export interface ObservabilityGround {
  readonly config: Config
  readonly storage: BuiltStorage
  /** What tells this process from the others of its registry; those other than `main` have no debug address. */
  readonly name: string
  /** Whether its requests come from other processes of the registry, which have counted them. */
  readonly local: boolean
  readonly others?: OtherProcesses | undefined
  readonly log: Logger
}

/** What sees how the registry is doing, for as much of it as somebody wants to know. */
export class Observability {
  readonly health: Health
  readonly observers: Observers
  readonly #ground: ObservabilityGround
  readonly #metrics: Metrics | undefined
  readonly #tracer: Tracer | undefined
  readonly #server: DebugServer | undefined

  /** What nobody wants to know is not even loaded. @throws Error for a sampler of traces that there is none of */
  static async create(ground: ObservabilityGround): Promise<Observability> {
    const { config, name, log } = ground
    const { debugAddress, prometheusEnabled, otlpEndpoint: endpoint } = config
    const metrics = debugAddress === undefined || !prometheusEnabled
      ? undefined
      : new (await import('../telemetry/metrics.ts')).Metrics({ process: name, storage: driverOf(config), log })
    const tracer = endpoint === undefined ? undefined : new (await import('../telemetry/otlp-tracer.ts')).OtlpTracer({ endpoint, env: process.env, log })
    return new Observability(ground, metrics, tracer)
  }

  private constructor(ground: ObservabilityGround, metrics: Metrics | undefined, tracer: Tracer | undefined) {
    const { config, storage, name, local, log } = ground
    this.#ground = ground
    this.#metrics = metrics
    this.#tracer = tracer
    this.health = new Health(log)
    this.observers = observersOf(metrics, tracer, local)
    addChecks(this.health, config, storage)
    if (metrics !== undefined) storageMetrics(metrics.add, storage, name === 'main')
    this.#server = config.debugAddress === undefined || name !== 'main' ? undefined : new DebugServer(this.#pages(), log)
  }

  /** Does nothing where nobody asks for metrics. */
  readonly add: AddGauge = (spec) => this.#metrics?.add(spec)

  /** The header `traceparent` for what is asked of others now. */
  readonly traceparent = (): string | undefined => this.#tracer?.traceparent()

  /** What the public address tells of health. */
  get services(): ReadonlyMap<string, Page> {
    return healthPages(this.health)
  }

  store(store: ObjectStore): ObjectStore {
    const { storage } = this.observers
    return storage === undefined ? store : new ObservedStore(store, storage)
  }

  blocks(blocks: BlockReader, by: 'gateway' | 'bitswap'): BlockReader {
    const { blocks: observer } = this.observers
    return observer === undefined ? blocks : observedReader(blocks, by, observer)
  }

  authorizer(authorizer: Authorizer | undefined): Authorizer | undefined {
    const metrics = this.#metrics
    return metrics === undefined || authorizer === undefined ? authorizer : observedAuthorizer(authorizer, metrics.authenticated)
  }

  /** Its sessions, watched; and it is asked whether it runs. */
  network(network: IpfsNetwork | undefined): Pick<IpfsNetwork, 'open'> | undefined {
    if (network === undefined) return undefined
    const peers = async (): Promise<number> => (await network.info()).peers
    this.health.add('ipfs', async () => void (await peers()), { interval: 0 })
    this.add({ name: 'disco_ipfs_peers', help: 'Peers of the swarm that are connected.', read: peers })
    const { sessions } = this.observers
    return sessions === undefined ? network : observedSessions(network, sessions)
  }

  notifications(notifications: Pick<Notifications, 'waiting' | 'attempts'> | undefined): void {
    if (notifications === undefined || this.#ground.name !== 'main') return
    this.add({
      name: 'registry_notifications_pending_total', help: 'Events that wait for each endpoint.', labels: ['endpoint'],
      read: async () => [...await notifications.waiting()].map(([endpoint, value]) => ({ labels: { endpoint }, value })),
    })
    this.add({
      name: 'registry_notifications_status_total', help: 'Attempts to deliver events, by the status of the answer.', labels: ['code', 'endpoint'], counter: true,
      read: () => notifications.attempts().map(({ endpoint, outcome, count }) => ({ labels: { code: outcome, endpoint }, value: count })),
    })
  }

  /** Undefined without metrics. */
  async snapshot(): Promise<MetricsSnapshot | undefined> {
    return await this.#metrics?.snapshot()
  }

  /** @throws Error when the debug address can't be listened on */
  async start(): Promise<void> {
    const { config: { debugAddress }, log } = this.#ground
    if (this.#server === undefined || debugAddress === undefined) return
    const { address, port } = await this.#server.listen(debugAddress)
    log.info({ address, port }, 'metrics and health are served')
  }

  /** Resolves when all processes of the registry that this one knows say so to whoever asks. */
  readonly rotate = async (rotation: Rotation): Promise<void> => {
    this.health.rotation = rotation
    await this.#ground.others?.rotate(rotation)
  }

  /** Says so to whoever asks, before anything stops. */
  stopping(): void {
    this.health.stop()
  }

  async stop(): Promise<void> {
    await this.#tracer?.close()
    await this.#server?.stop()
  }

  #pages(): Map<string, Page> {
    const { config: { prometheusPath }, others } = this.#ground
    const metrics = this.#metrics
    const pages = new Map([...healthPages(this.health), ...debugHealthPages(this.health, this.rotate)])
    if (metrics !== undefined) pages.set(prometheusPath, metricsPage(metrics.contentType, async () => metrics.text(await others?.metrics())))
    return pages
  }
}
