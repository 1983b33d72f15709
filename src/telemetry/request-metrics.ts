import { Counter, exponentialBuckets, Gauge, type Registry } from 'prom-client'
import { PreparedCounter } from './prepared-counter.ts'
import { PreparedHistogram } from './prepared-histogram.ts'
import { METHODS, type RequestObserver, type SeenRequest } from './request-observer.ts'

const DURATIONS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 300]
/** 1 KiB to 4 GiB. */
const SIZES = exponentialBuckets(1024, 4, 12)

/** Requests, under the names and with the labels that Distribution's have. */
export class RequestMetrics implements RequestObserver {
  readonly #total: PreparedCounter<'handler' | 'code' | 'method'>
  readonly #duration: PreparedHistogram<'handler' | 'method'>
  readonly #received: PreparedHistogram<'handler'>
  readonly #sent: PreparedHistogram<'handler'>
  readonly #errors: Counter<'handler' | 'error'>
  #inFlight = 0

  constructor(registry: Registry) {
    const registers = [registry]
    this.#total = new PreparedCounter({ name: 'registry_http_requests_total', help: 'Requests, by what they were for, method and status (499: the client went away).', labelNames: ['handler', 'code', 'method'], register: registry })
    this.#duration = new PreparedHistogram({ name: 'registry_http_request_duration_seconds', help: 'From a request to the end of its answer.', labelNames: ['handler', 'method'], buckets: DURATIONS, register: registry })
    this.#received = new PreparedHistogram({ name: 'registry_http_request_size_bytes', help: 'Bodies of requests that had one.', labelNames: ['handler'], buckets: SIZES, register: registry })
    this.#sent = new PreparedHistogram({ name: 'registry_http_response_size_bytes', help: 'Bodies of answers that had one.', labelNames: ['handler'], buckets: SIZES, register: registry })
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
    this.#total.inc(handler, String(status), label)
    this.#duration.observe(seconds, handler, label)
    if (received > 0) this.#received.observe(received, handler)
    if (sent > 0) this.#sent.observe(sent, handler)
    if (errorCode !== undefined) this.#errors.inc({ handler, error: errorCode })
  }
}
