import type { MetricObjectWithValues, MetricValue, Registry } from 'prom-client'

export interface PreparedCounterOptions<Label extends string> {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly Label[]
  readonly register: Registry
}

/** A counter that finds its labels again by one string, as `PreparedHistogram` does: for what every request counts. */
export class PreparedCounter<Label extends string> {
  readonly name: string
  readonly #options: PreparedCounterOptions<Label>
  readonly #series = new Map<string, { readonly labels: Readonly<Record<string, string>>; value: number }>()

  constructor(options: PreparedCounterOptions<Label>) {
    this.name = options.name
    this.#options = options
    options.register.registerMetric(this as unknown as Parameters<Registry['registerMetric']>[0])
  }

  /** @param values of the labels, in the order of their names */
  inc(...values: readonly string[]): void {
    const key = values.join('\n')
    const series = this.#series.get(key)
    if (series !== undefined) series.value++
    else this.#series.set(key, { labels: Object.fromEntries(this.#options.labelNames.map((label, index) => [label, values[index] ?? ''])), value: 1 })
  }

  /** As prom-client asks for it. */
  async get(): Promise<MetricObjectWithValues<MetricValue<string>>> {
    const { name, help } = this.#options
    const values = [...this.#series.values()].map(({ labels, value }) => ({ labels, value }))
    return { name, help, type: 'counter', aggregator: 'sum', values } as unknown as MetricObjectWithValues<MetricValue<string>>
  }

  reset(): void {
    this.#series.clear()
  }
}
