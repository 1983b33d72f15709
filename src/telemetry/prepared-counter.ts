import type { MetricObjectWithValues, MetricValue, Registry } from 'prom-client'

export interface PreparedCounterOptions<Label extends string> {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly Label[]
  readonly register: Registry
}

/** One set of labels of a counter. */
export interface Count {
  inc(): void
}

/** A counter whose labels are looked up once, as `PreparedHistogram`'s are: for what every request counts. */
export class PreparedCounter<Label extends string> {
  readonly name: string
  readonly #options: PreparedCounterOptions<Label>
  readonly #series: { readonly labels: Readonly<Record<string, string>>; value: number }[] = []

  constructor(options: PreparedCounterOptions<Label>) {
    this.name = options.name
    this.#options = options
    options.register.registerMetric(this as unknown as Parameters<Registry['registerMetric']>[0])
  }

  /** @param values of the labels, in the order of their names; once for each set of them */
  series(...values: readonly string[]): Count {
    const counted = { labels: Object.fromEntries(this.#options.labelNames.map((label, index) => [label, values[index] ?? ''])), value: 0 }
    this.#series.push(counted)
    return { inc: () => void counted.value++ }
  }

  /** As prom-client asks for it. */
  async get(): Promise<MetricObjectWithValues<MetricValue<string>>> {
    const { name, help } = this.#options
    const values = this.#series.filter(({ value }) => value > 0).map(({ labels, value }) => ({ labels, value }))
    return { name, help, type: 'counter', aggregator: 'sum', values } as unknown as MetricObjectWithValues<MetricValue<string>>
  }

  reset(): void {
    for (const counted of this.#series) counted.value = 0
  }
}
