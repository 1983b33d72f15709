import { Counter, Histogram, type Registry } from 'prom-client'
import type { StorageAction, StorageObserver } from './storage-observer.ts'

/** What is asked of the store, under the name that Distribution has for it. */
export class StorageMetrics implements StorageObserver {
  readonly #driver: string
  readonly #seconds: Histogram<'driver' | 'action'>
  readonly #errors: Counter<'driver' | 'action'>
  readonly #streams: Counter<'driver' | 'action'>

  constructor(registry: Registry, driver: string) {
    const labelNames = ['driver', 'action'] as const
    const registers = [registry]
    this.#driver = driver
    this.#seconds = new Histogram({ name: 'registry_storage_action_seconds', help: 'What the store was asked for, and how long it took.', labelNames, registers })
    this.#errors = new Counter({ name: 'disco_storage_errors_total', help: 'What the store could not do, refusals and conflicts among them.', labelNames, registers })
    this.#streams = new Counter({ name: 'disco_storage_streams_total', help: 'Streams of bytes that were asked for.', labelNames, registers })
  }

  async during<T>(action: StorageAction, work: () => Promise<T>): Promise<T> {
    const began = performance.now()
    try {
      return await work()
    } catch (error) {
      this.#errors.inc({ driver: this.#driver, action })
      throw error
    } finally {
      this.#seconds.observe({ driver: this.#driver, action }, (performance.now() - began) / 1000)
    }
  }

  streaming(action: StorageAction): void {
    this.#streams.inc({ driver: this.#driver, action })
  }
}
