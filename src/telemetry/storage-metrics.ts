import { Counter, type Registry } from 'prom-client'
import { onceForEach } from './once-for-each.ts'
import { PreparedHistogram, type Series } from './prepared-histogram.ts'
import type { StorageAction, StorageObserver } from './storage-observer.ts'

/** prom-client's own, from 5 ms to 10 s, and what the embedded store is done with before. */
const DURATIONS = [0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** What is asked of the store, under the name that Distribution has for it. */
export class StorageMetrics implements StorageObserver {
  readonly #driver: string
  readonly #seconds: (action: string) => Series
  readonly #errors: Counter<'driver' | 'action'>
  readonly #streams: Counter<'driver' | 'action'>

  constructor(registry: Registry, driver: string) {
    const labelNames = ['driver', 'action'] as const
    const registers = [registry]
    this.#driver = driver
    const seconds = new PreparedHistogram({ name: 'registry_storage_action_seconds', help: 'What the store was asked for, and how long it took.', labelNames, buckets: DURATIONS, register: registry })
    this.#seconds = onceForEach((action) => seconds.series(driver, action))
    this.#errors = new Counter({ name: 'disco_storage_errors_total', help: 'What the store could not do, refusals and conflicts among them.', labelNames, registers })
    this.#streams = new Counter({ name: 'disco_storage_streams_total', help: 'Streams of bytes that were asked for.', labelNames, registers })
  }

  during<T>(action: StorageAction, work: () => Promise<T>): Promise<T> {
    const began = performance.now()
    const working = work()
    const done = (): void => this.#seconds(action).observe((performance.now() - began) / 1000)
    // Beside the work, which nobody shall wait longer for.
    working.then(done, () => {
      this.#errors.inc({ driver: this.#driver, action })
      done()
    })
    return working
  }

  streaming(action: StorageAction): void {
    this.#streams.inc({ driver: this.#driver, action })
  }
}
