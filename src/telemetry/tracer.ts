/** What a span is told while it lasts. */
export interface Span {
  set(name: string, value: string | number): void
}

export interface SpanOptions {
  readonly attributes?: Readonly<Record<string, string | number>>
  /** Header of a request that another's span sent: this one is its child. */
  readonly traceparent?: string | undefined
  /** Whether it answers somebody. @default false */
  readonly server?: boolean
}

/** Tells what took how long within what. */
export interface Tracer {
  /** Calls `work` once and resolves or rejects as it does. What is traced meanwhile, on its behalf, is within it. */
  span<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>
  /** The header `traceparent` for whom the span that lasts now asks for something; undefined where none does. */
  traceparent(): string | undefined
  /** Sends what has not been sent yet, within a few seconds. */
  close(): Promise<void>
}
