import type { SessionObserver, SessionStep } from './session-observer.ts'
import type { Tracer } from './tracer.ts'

/** A span for each step of a clone. */
export class SessionTraces implements SessionObserver {
  readonly #tracer: Tracer

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  during<T>(step: SessionStep, cid: string, work: () => Promise<T>): Promise<T> {
    return this.#tracer.span(`ipfs ${step}`, { attributes: { 'disco.cid': cid } }, work)
  }
}
