import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AggregatorRegistry, Counter, Histogram, Registry } from 'prom-client'
import { onceForEach } from '../../src/telemetry/once-for-each.ts'
import { PreparedCounter } from '../../src/telemetry/prepared-counter.ts'
import { PreparedHistogram } from '../../src/telemetry/prepared-histogram.ts'

const BUCKETS = [0.1, 1, 5]
const OBSERVED: readonly (readonly [value: number, handler: string, method: string])[] = [
  [0.05, 'blob', 'get'], [0.1, 'blob', 'get'], [0.7, 'blob', 'put'], [6, 'blob', 'get'], [1, 'manifest', 'get'], [0, 'manifest', 'head'],
]

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '').toSorted()
}

describe('prepared metrics', () => {
  const ours = new Registry()
  const theirs = new Registry()
  const labelNames = ['handler', 'method'] as const
  const histogram = new PreparedHistogram({ name: 'h', help: 'A histogram.', labelNames, buckets: BUCKETS, register: ours })
  const counter = new PreparedCounter({ name: 'c', help: 'A counter.', labelNames, register: ours })
  const theirHistogram = new Histogram({ name: 'h', help: 'A histogram.', labelNames, buckets: BUCKETS, registers: [theirs] })
  const theirCounter = new Counter({ name: 'c', help: 'A counter.', labelNames, registers: [theirs] })
  const histograms = onceForEach((key) => histogram.series(...key.split(' ')))
  const counters = onceForEach((key) => counter.series(...key.split(' ')))
  for (const [value, handler, method] of OBSERVED) {
    histograms(`${handler} ${method}`).observe(value)
    theirHistogram.observe({ handler, method }, value)
    counters(`${handler} ${method}`).inc()
    theirCounter.inc({ handler, method })
  }

  it('say what prom-client\'s own say', async () => {
    assert.deepEqual(lines(await ours.metrics()), lines(await theirs.metrics()))
  })

  it('are summed over processes as these are', async () => {
    const sum = async (registry: Registry): Promise<string> => AggregatorRegistry.aggregate([await registry.getMetricsAsJSON(), await registry.getMetricsAsJSON()]).metrics()
    assert.deepEqual(lines(await sum(ours)), lines(await sum(theirs)))
  })
})
