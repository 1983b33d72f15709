import { METHODS, type RequestObserver, type SeenRequest } from './request-observer.ts'
import type { Tracer } from './tracer.ts'

/** A span for every request: names and attributes are OpenTelemetry's for HTTP. */
export class RequestTraces implements RequestObserver {
  readonly #tracer: Tracer

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  during(seen: SeenRequest, work: () => Promise<void>): Promise<void> {
    const { id, traceparent } = seen
    const known = METHODS.has(seen.method)
    const attributes = { 'http.request.method': known ? seen.method : '_OTHER', 'http.request.header.x_request_id': id }
    return this.#tracer.span(known ? `HTTP ${seen.method}` : 'HTTP', { server: true, traceparent, attributes }, async (span) => {
      await work()
      span.set('http.route', seen.handler)
      span.set('http.response.status_code', seen.status)
      span.set('http.request.body.size', seen.received)
      span.set('http.response.body.size', seen.sent)
      if (seen.errorCode !== undefined) span.set('error.type', seen.errorCode)
    })
  }
}
