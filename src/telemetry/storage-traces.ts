import type { StorageAction, StorageObserver } from './storage-observer.ts'
import type { Tracer } from './tracer.ts'

/** What is worth a span: what waits for a disk, or for a client that sends. */
const TRACED: ReadonlySet<StorageAction> = new Set(['Commit', 'Append', 'Verify'])

/** Spans of commits and of bytes that come in. */
export class StorageTraces implements StorageObserver {
  readonly #tracer: Tracer

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  during<T>(action: StorageAction, work: () => Promise<T>): Promise<T> {
    return TRACED.has(action) ? this.#tracer.span(`storage ${action}`, {}, work) : work()
  }

  streaming(): void {}
}
