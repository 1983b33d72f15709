import { Counter, exponentialBuckets, Gauge, Histogram, type Registry } from 'prom-client'
import { METHODS, type RequestObserver, type SeenRequest } from './request-observer.ts'

const DURATIONS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 300]
/** 1 KiB to 4 GiB. */
const SIZES = exponentialBuckets(1024, 4, 12)

/** Requests, under the names and with the labels that Distribution's have. */
export class RequestMetrics implements RequestObserver {
  readonly #total: Counter<'handler' | 'code' | 'method'>
  readonly #duration: Histogram<'handler' | 'method'>
  readonly #received: Histogram<'handler'>
  readonly #sent: Histogram<'handler'>
  readonly #errors: Counter<'handler' | 'error'>
  #inFlight = 0

  constructor(registry: Registry) {
    const registers = [registry]
    this.#total = new Counter({ name: 'registry_http_requests_total', help: 'Requests, by what they were for, method and status (499: the client went away).', labelNames: ['handler', 'code', 'method'], registers })
    this.#duration = new Histogram({ name: 'registry_http_request_duration_seconds', help: 'From a request to the end of its answer.', labelNames: ['handler', 'method'], buckets: DURATIONS, registers })
    this.#received = new Histogram({ name: 'registry_http_request_size_bytes', help: 'Bodies of requests that had one.', labelNames: ['handler'], buckets: SIZES, registers })
    this.#sent = new Histogram({ name: 'registry_http_response_size_bytes', help: 'Bodies of answers that had one.', labelNames: ['handler'], buckets: SIZES, registers })
    this.#errors = new Counter({ name: 'disco_http_errors_total', help: 'Answers that are errors, by their code; TOOMANYREQUESTS are the refusals of the limits.', labelNames: ['handler', 'error'], registers })
    const gauge: Gauge = new Gauge({ name: 'disco_http_requests_in_flight', help: 'Requests under way.', registers, collect: () => gauge.set(this.#inFlight) })
  }

  async during(seen: SeenRequest, work: () => Promise<void>): Promise<void> {
    const began = performance.now()
    this.#inFlight++
    try {
      await work()
    } finally {
      this.#inFlight--
      this.#record(seen, (performance.now() - began) / 1000)
    }
  }

  #record({ handler, method, status, errorCode, received, sent }: SeenRequest, seconds: number): void {
    // as in Distribution
    const label = METHODS.has(method) ? method.toLowerCase() : 'unknown'
    this.#total.inc({ handler, code: status, method: label })
    this.#duration.observe({ handler, method: label }, seconds)
    if (received > 0) this.#received.observe({ handler }, received)
    if (sent > 0) this.#sent.observe({ handler }, sent)
    if (errorCode !== undefined) this.#errors.inc({ handler, error: errorCode })
  }
}
