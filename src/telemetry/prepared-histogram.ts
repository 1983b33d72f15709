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
interface Counted {
  readonly labels: Readonly<Record<string, string>>
  /** By bucket; the last one is above all bounds. */
  readonly counts: Float64Array
  sum: number
}

/** One set of labels of a histogram. */
export interface Series {
  observe(value: number): void
}

/** A histogram whose labels are looked up once: prom-client's own does it at every observation, which a manifest GET has four of. */
export class PreparedHistogram<Label extends string> {
  readonly name: string
  readonly #options: PreparedHistogramOptions<Label>
  readonly #series: Counted[] = []

  constructor(options: PreparedHistogramOptions<Label>) {
    this.name = options.name
    this.#options = options
    options.register.registerMetric(this as unknown as Parameters<Registry['registerMetric']>[0])
  }

  /** @param values of the labels, in the order of their names; once for each set of them */
  series(...values: readonly string[]): Series {
    const { labelNames, buckets } = this.#options
    const labels = Object.fromEntries(labelNames.map((label, index) => [label, values[index] ?? '']))
    const counted: Counted = { labels, counts: new Float64Array(buckets.length + 1), sum: 0 }
    this.#series.push(counted)
    return {
      observe(value) {
        let at = 0
        while (at < buckets.length && value > (buckets[at] ?? 0)) at++
        counted.counts[at] = (counted.counts[at] ?? 0) + 1
        counted.sum += value
      },
    }
  }

  /** As prom-client asks for it. */
  async get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const { name, help } = this.#options
    const values = this.#series.filter(({ counts }) => counts.some((count) => count > 0)).flatMap((series) => this.#valuesOf(series))
    return { name, help, type: 'histogram', aggregator: 'sum', values } as unknown as MetricObjectWithValues<MetricValueWithName<string>>
  }

  reset(): void {
    for (const counted of this.#series) {
      counted.counts.fill(0)
      counted.sum = 0
    }
  }

  #valuesOf({ labels, counts, sum }: Counted): MetricValueWithName<string>[] {
    const { name, buckets } = this.#options
    let total = 0
    const bounds = [...buckets, '+Inf'].map((le, index) => {
      total += counts[index] ?? 0
      return { labels: { le, ...labels }, value: total, metricName: `${name}_bucket` }
    })
    return [...bounds, { labels, value: sum, metricName: `${name}_sum` }, { labels, value: total, metricName: `${name}_count` }]
  }
}
