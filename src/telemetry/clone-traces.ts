import type { CloneObserver } from './clone-observer.ts'
import type { Tracer } from './tracer.ts'

/** A span for every clone, within that of the request which asked for it first. */
export class CloneTraces implements CloneObserver {
  readonly #tracer: Tracer

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  joined(): void {}

  during(cid: string, fly: () => Promise<number>): Promise<number> {
    return this.#tracer.span('clone', { attributes: { 'disco.cid': cid } }, async (span) => {
      const size = await fly()
      span.set('disco.image.size', size)
      return size
    })
  }
}
