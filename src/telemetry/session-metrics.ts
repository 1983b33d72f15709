import { Counter, Histogram, type Registry } from 'prom-client'
import { DURATIONS } from './ipfs-metrics.ts'
import type { SessionObserver, SessionStep } from './session-observer.ts'

/** Searches for somebody who has an image. */
export class SessionMetrics implements SessionObserver {
  readonly #searches: Counter<'result'>
  readonly #seconds: Histogram<'result'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.#searches = new Counter({ name: 'disco_ipfs_searches_total', help: 'Searches for somebody who has an image.', labelNames: ['result'], registers })
    this.#seconds = new Histogram({ name: 'disco_ipfs_search_duration_seconds', help: 'From the beginning of a search to its end.', labelNames: ['result'], buckets: DURATIONS, registers })
  }

  async during<T>(step: SessionStep, _cid: string, work: () => Promise<T>): Promise<T> {
    if (step !== 'search') return work()
    const began = performance.now()
    let result = 'found'
    try {
      return await work()
    } catch (error) {
      result = 'not_found'
      throw error
    } finally {
      this.#searches.inc({ result })
      this.#seconds.observe({ result }, (performance.now() - began) / 1000)
    }
  }
}
