import type { MetricObjectWithValues, MetricValueWithName, Registry } from 'prom-client'

export interface PreparedHistogramOptions<Label extends string> {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly Label[]
  /** Upper bounds, ascending. */
  readonly buckets: readonly number[]
  readonly register: Registry
}

/** What was observed under one set of labels. */
interface Series {
  readonly labels: Readonly<Record<string, string>>
  /** By bucket; the last one is above all bounds. */
  readonly counts: Float64Array
  sum: number
}

/** A histogram that finds its labels again by one string: prom-client's own builds and sorts them at every observation, which a manifest GET has four of. */
export class PreparedHistogram<Label extends string> {
  readonly name: string
  readonly #options: PreparedHistogramOptions<Label>
  readonly #series = new Map<string, Series>()

  constructor(options: PreparedHistogramOptions<Label>) {
    this.name = options.name
    this.#options = options
    options.register.registerMetric(this as unknown as Parameters<Registry['registerMetric']>[0])
  }

  /** @param values of the labels, in the order of their names */
  observe(value: number, ...values: readonly string[]): void {
    const key = values.length === 1 ? (values[0] ?? '') : values.join('\n')
    const series = this.#series.get(key) ?? this.#add(key, values)
    const { buckets } = this.#options
    let at = 0
    while (at < buckets.length && value > (buckets[at] ?? 0)) at++
    series.counts[at] = (series.counts[at] ?? 0) + 1
    series.sum += value
  }

  /** As prom-client asks for it. */
  async get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const { name, help } = this.#options
    const values = [...this.#series.values()].flatMap((series) => this.#valuesOf(series))
    return { name, help, type: 'histogram', aggregator: 'sum', values } as unknown as MetricObjectWithValues<MetricValueWithName<string>>
  }

  reset(): void {
    this.#series.clear()
  }

  #add(key: string, values: readonly string[]): Series {
    const { labelNames, buckets } = this.#options
    const labels = Object.fromEntries(labelNames.map((label, index) => [label, values[index] ?? '']))
    const series = { labels, counts: new Float64Array(buckets.length + 1), sum: 0 }
    this.#series.set(key, series)
    return series
  }

  #valuesOf({ labels, counts, sum }: Series): MetricValueWithName<string>[] {
    const { name, buckets } = this.#options
    let total = 0
    const bounds = [...buckets, '+Inf'].map((le, index) => {
      total += counts[index] ?? 0
      return { labels: { le, ...labels }, value: total, metricName: `${name}_bucket` }
    })
    return [...bounds, { labels, value: sum, metricName: `${name}_sum` }, { labels, value: total, metricName: `${name}_count` }]
  }
}
