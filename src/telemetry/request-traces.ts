import type { RequestObserver, SeenRequest } from './request-observer.ts'
import type { Tracer } from './tracer.ts'

/** A span for every request: names and attributes are OpenTelemetry's for HTTP. */
export class RequestTraces implements RequestObserver {
  readonly #tracer: Tracer

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  during(seen: SeenRequest, work: () => Promise<void>): Promise<void> {
    const { id, method, traceparent } = seen
    return this.#tracer.span(`HTTP ${method}`, { server: true, traceparent, attributes: { 'http.request.method': method, 'http.request.header.x_request_id': id } }, async (span) => {
      await work()
      span.set('http.route', seen.handler)
      span.set('http.response.status_code', seen.status)
      span.set('http.request.body.size', seen.received)
      span.set('http.response.body.size', seen.sent)
      if (seen.errorCode !== undefined) span.set('error.type', seen.errorCode)
    })
  }
}
