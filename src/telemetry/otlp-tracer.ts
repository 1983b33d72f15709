import { AsyncLocalStorage } from 'node:async_hooks'
import { isSpanContextValid, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Context, type Tracer as ApiTracer } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace'
import type { Logger } from './logger.ts'
import { samplerOf } from './sampler.ts'
import type { Span, SpanOptions, Tracer } from './tracer.ts'

export interface OtlpTracerOptions {
  /** Base URL of the receiver: `http://collector:4318`. */
  readonly endpoint: string
  /** Where OpenTelemetry's own variables stand: `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, … */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Logger
}

/** Spans that wait at most, and milliseconds between two sendings. */
const MAX_WAITING = 4096
const SEND_EVERY = 2000
/** Milliseconds that the last sending may take. */
const CLOSE_TIMEOUT = 3000

/** Sends spans over OTLP, as JSON over HTTP. */
export class OtlpTracer implements Tracer {
  readonly #contexts = new AsyncLocalStorage<Context>()
  readonly #provider: TracerProvider
  readonly #tracer: ApiTracer

  constructor({ endpoint, env, log }: OtlpTracerOptions) {
    const exporter = telling(new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces` }), log)
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': 'disco' }).merge(detectResources({ detectors: [envDetector] })),
      sampler: samplerOf(env['OTEL_TRACES_SAMPLER'], env['OTEL_TRACES_SAMPLER_ARG']),
      spanProcessors: [new BatchSpanProcessor({ exporter, maxQueueSize: MAX_WAITING, scheduledDelayMillis: SEND_EVERY })],
    })
    this.#tracer = this.#provider.getTracer('disco')
  }

  async span<T>(name: string, { attributes = {}, traceparent, server = false }: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
    const parent = parentOf(traceparent) ?? this.#contexts.getStore() ?? ROOT_CONTEXT
    const span = this.#tracer.startSpan(name, { attributes, kind: server ? SpanKind.SERVER : SpanKind.INTERNAL }, parent)
    try {
      return await this.#contexts.run(trace.setSpan(parent, span), () => work({ set: (key, value) => void span.setAttribute(key, value) }))
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) })
      throw error
    } finally {
      span.end()
    }
  }

  traceparent(): string | undefined {
    const context = this.#contexts.getStore()
    const span = context === undefined ? undefined : trace.getSpanContext(context)
    return span && `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}`
  }

  async close(): Promise<void> {
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(() => late.resolve(), CLOSE_TIMEOUT)
    // What can't be sent is told where it is sent.
    await Promise.race([this.#provider.shutdown().catch(() => {}), late.promise])
    clearTimeout(timer)
  }
}

/** https://www.w3.org/TR/trace-context/#traceparent-header */
function parentOf(traceparent: string | undefined): Context | undefined {
  const [, traceId = '', spanId = '', flags = ''] = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/.exec(traceparent ?? '') ?? []
  const span = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true }
  return isSpanContextValid(span) ? trace.setSpanContext(ROOT_CONTEXT, span) : undefined
}

/** Says when spans can't be sent, and when they can again. */
function telling(exporter: SpanExporter, log: Logger): SpanExporter {
  let failing = false
  return {
    export(spans: ReadableSpan[], done) {
      exporter.export(spans, (result) => {
        const failed = result.error !== undefined
        if (failed && !failing) log.warn({ err: result.error }, 'traces could not be sent')
        if (!failed && failing) log.info({}, 'traces are sent again')
        failing = failed
        done(result)
      })
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  }
}
