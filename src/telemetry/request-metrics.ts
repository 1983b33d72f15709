import { Counter, exponentialBuckets, Gauge, type Registry } from 'prom-client'
import { onceForEach } from './once-for-each.ts'
import { PreparedCounter, type Count } from './prepared-counter.ts'
import { PreparedHistogram, type Series } from './prepared-histogram.ts'
import { METHODS, type RequestObserver, type SeenRequest } from './request-observer.ts'

const DURATIONS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 300]
/** 1 KiB to 4 GiB. */
const SIZES = exponentialBuckets(1024, 4, 12)

/** Of one handler, whose requests differ by method and status. */
interface HandlerMetrics {
  readonly received: Series
  readonly sent: Series
  readonly by: (method: string) => { readonly duration: Series; readonly total: (code: string) => Count }
}

/** Requests, under the names and with the labels that Distribution's have. */
export class RequestMetrics implements RequestObserver {
  readonly #of: (handler: string) => HandlerMetrics
  readonly #errors: Counter<'handler' | 'error'>
  #inFlight = 0

  constructor(registry: Registry) {
    const registers = [registry]
    const total = new PreparedCounter({ name: 'registry_http_requests_total', help: 'Requests, by what they were for, method and status (499: the client went away).', labelNames: ['handler', 'code', 'method'], register: registry })
    const duration = new PreparedHistogram({ name: 'registry_http_request_duration_seconds', help: 'From a request to the end of its answer.', labelNames: ['handler', 'method'], buckets: DURATIONS, register: registry })
    const received = new PreparedHistogram({ name: 'registry_http_request_size_bytes', help: 'Bodies of requests that had one.', labelNames: ['handler'], buckets: SIZES, register: registry })
    const sent = new PreparedHistogram({ name: 'registry_http_response_size_bytes', help: 'Bodies of answers that had one.', labelNames: ['handler'], buckets: SIZES, register: registry })
    this.#errors = new Counter({ name: 'disco_http_errors_total', help: 'Answers that are errors, by their code; TOOMANYREQUESTS are the refusals of the limits.', labelNames: ['handler', 'error'], registers })
    this.#of = onceForEach((handler) => ({
      received: received.series(handler),
      sent: sent.series(handler),
      by: onceForEach((method) => ({ duration: duration.series(handler, method), total: onceForEach((code) => total.series(handler, code, method)) })),
    }))
    const gauge: Gauge = new Gauge({ name: 'disco_http_requests_in_flight', help: 'Requests under way.', registers, collect: () => gauge.set(this.#inFlight) })
  }

  during(seen: SeenRequest, work: () => Promise<void>): Promise<void> {
    const began = performance.now()
    this.#inFlight++
    const working = work()
    const done = (): void => {
      this.#inFlight--
      this.#record(seen, (performance.now() - began) / 1000)
    }
    // Beside the work, which nobody shall wait longer for.
    working.then(done, done)
    return working
  }

  #record({ handler, method, status, errorCode, received, sent }: SeenRequest, seconds: number): void {
    const metrics = this.#of(handler)
    // as in Distribution
    const { duration, total } = metrics.by(METHODS.has(method) ? method.toLowerCase() : 'unknown')
    total(String(status)).inc()
    duration.observe(seconds)
    if (received > 0) metrics.received.observe(received)
    if (sent > 0) metrics.sent.observe(sent)
    if (errorCode !== undefined) this.#errors.inc({ handler, error: errorCode })
  }
}
