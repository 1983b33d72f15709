import { AggregatorRegistry, collectDefaultMetrics, Counter, Gauge, Registry, type MetricObjectWithValues, type MetricValue } from 'prom-client'
import { IpfsMetrics } from './ipfs-metrics.ts'
import type { GaugeSpec, Reading } from './gauge.ts'
import type { Logger } from './logger.ts'
import { onceForEach } from './once-for-each.ts'
import { PreparedCounter, type Count } from './prepared-counter.ts'
import { RequestMetrics } from './request-metrics.ts'
import { SessionMetrics } from './session-metrics.ts'
import { StorageMetrics } from './storage-metrics.ts'

/** The metrics of one process, as they go from one to another. */
export type MetricsSnapshot = readonly MetricObjectWithValues<MetricValue<string>>[]

/** `challenged`: nothing was brought that proves who asks; `rejected`: what was brought proves nothing. */
export type Authentication = 'anonymous' | 'user' | 'challenged' | 'rejected' | 'denied' | 'throttled' | 'failed'

export interface MetricsOptions {
  /** What tells this process from the others of its registry, on metrics of Node itself. */
  readonly process: string
  /** What Distribution calls a driver: `embedded`, `filesystem`. */
  readonly storage: string
  readonly log: Logger
}

/** Milliseconds between two looks at how late the event loop is. */
const LOOP_RESOLUTION = 20

/** All that is counted in one process. */
export class Metrics {
  readonly requests: RequestMetrics
  readonly storage: StorageMetrics
  readonly ipfs: IpfsMetrics
  readonly sessions: SessionMetrics
  readonly contentType: string
  readonly #registry = new Registry()
  readonly #authentications: (outcome: string) => Count
  readonly #log: Logger

  constructor({ process, storage, log }: MetricsOptions) {
    this.#log = log
    this.contentType = this.#registry.contentType
    collectDefaultMetrics({ register: this.#registry, labels: { process }, eventLoopMonitoringPrecision: LOOP_RESOLUTION })
    this.requests = new RequestMetrics(this.#registry)
    this.storage = new StorageMetrics(this.#registry, storage)
    this.ipfs = new IpfsMetrics(this.#registry)
    this.sessions = new SessionMetrics(this.#registry)
    const authentications = new PreparedCounter({
      name: 'disco_auth_requests_total', help: 'Requests that asked for access, by what became of them.', labelNames: ['outcome'], register: this.#registry,
    })
    this.#authentications = onceForEach((outcome) => authentications.series(outcome))
  }

  readonly authenticated = (outcome: Authentication): void => this.#authentications(outcome).inc()

  /** Adds one that is read when somebody asks. */
  readonly add = ({ name, help, labels = [], counter = false, read }: GaugeSpec): void => {
    const collect = async (): Promise<void> => {
      try {
        const readings = readingsOf(await read())
        // at one go: others may be asking
        metric.reset()
        for (const { labels: at, value } of readings) metric.inc(at, value)
      } catch (err) {
        metric.reset()
        if (labels.length === 0) metric.remove({})
        this.#log.warn({ err, metric: name }, 'a metric could not be read')
      }
    }
    const configuration = { name, help, labelNames: labels, registers: [this.#registry], collect }
    const metric: Counter | Gauge = counter ? new Counter(configuration) : new Gauge(configuration)
  }

  snapshot(): Promise<MetricsSnapshot> {
    return this.#registry.getMetricsAsJSON()
  }

  /** In Prometheus' text format: those of this process and of the others together. */
  async text(others: readonly MetricsSnapshot[] = []): Promise<string> {
    if (others.length === 0) return this.#registry.metrics()
    return AggregatorRegistry.aggregate([await this.snapshot(), ...others].map((snapshot) => [...snapshot])).metrics()
  }
}

function readingsOf(read: number | readonly Reading[]): readonly Reading[] {
  return typeof read === 'number' ? [{ labels: {}, value: read }] : read
}
