import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import { Metrics } from '../../src/telemetry/metrics.ts'
import type { SeenRequest } from '../../src/telemetry/request-observer.ts'

function metricsOf(process = 'main'): Metrics {
  return new Metrics({ process, storage: 'memory', log: silentLogger() })
}

function seen(fields: Partial<SeenRequest> = {}): SeenRequest {
  return { id: 'id', method: 'GET', traceparent: undefined, handler: 'manifest', user: undefined, status: 200, errorCode: undefined, received: 0, sent: 0, ...fields }
}

test('counts a request by what it was for, its method and its status, as Distribution does', async () => {
  const metrics = metricsOf()
  await metrics.requests.during(seen({ sent: 3000 }), async () => {
    assert.match(await metrics.text(), /^disco_http_requests_in_flight 1$/m)
  })
  const refused = seen({ method: 'BREW', handler: 'other', status: 0 })
  await metrics.requests.during(refused, async () => {
    refused.status = 429
    refused.errorCode = 'TOOMANYREQUESTS'
  })
  const text = await metrics.text()
  assert.match(text, /^registry_http_requests_total\{handler="manifest",code="200",method="get"\} 1$/m)
  assert.match(text, /^registry_http_requests_total\{handler="other",code="429",method="unknown"\} 1$/m)
  assert.match(text, /^registry_http_request_duration_seconds_count\{handler="manifest",method="get"\} 1$/m)
  assert.match(text, /^registry_http_response_size_bytes_bucket\{le="4096",handler="manifest"\} 1$/m)
  assert.match(text, /^disco_http_errors_total\{handler="other",error="TOOMANYREQUESTS"\} 1$/m)
  assert.match(text, /^disco_http_requests_in_flight 0$/m)
})

test('counts what the store did, and what it could not', async () => {
  const metrics = metricsOf()
  await metrics.storage.during('Commit', async () => {})
  await assert.rejects(metrics.storage.during('Stat', async () => { throw new Error('no') }), /no/)
  const text = await metrics.text()
  assert.match(text, /^registry_storage_action_seconds_count\{driver="memory",action="Commit"\} 1$/m)
  assert.match(text, /^registry_storage_action_seconds_count\{driver="memory",action="Stat"\} 1$/m)
  assert.match(text, /^disco_storage_errors_total\{driver="memory",action="Stat"\} 1$/m)
})

test('tells how clones ended', async () => {
  const metrics = metricsOf()
  const { ipfs } = metrics
  await ipfs.during('cid', async () => 5_000_000)
  await assert.rejects(ipfs.during('cid', async () => { throw Object.assign(new Error('no'), { code: 'NAME_UNKNOWN' }) }))
  ipfs.received('gateway', 100)
  ipfs.received('gateway', 50)
  ipfs.joined()
  const text = await metrics.text()
  assert.match(text, /^disco_clones_started_total 2$/m)
  assert.match(text, /^disco_clones_joined_total 1$/m)
  assert.match(text, /^disco_clones_ended_total\{result="ok"\} 1$/m)
  assert.match(text, /^disco_clones_ended_total\{result="NAME_UNKNOWN"\} 1$/m)
  assert.match(text, /^disco_clone_size_bytes_sum 5000000$/m)
  assert.match(text, /^disco_ipfs_blocks_received_total\{source="gateway"\} 2$/m)
  assert.match(text, /^disco_ipfs_received_bytes_total\{source="gateway"\} 150$/m)
})

test('leaves out a gauge that can not be read, and says the others', async () => {
  const metrics = metricsOf()
  metrics.add({ name: 'disco_broken', help: 'Broken.', read: () => { throw new Error('no') } })
  metrics.add({ name: 'disco_whole', help: 'Whole.', labels: ['of'], read: async () => [{ labels: { of: 'a' }, value: 3 }] })
  const text = await metrics.text()
  assert.doesNotMatch(text, /^disco_broken /m)
  assert.match(text, /^disco_whole\{of="a"\} 3$/m)
})

test('says the same to each of those who ask at once', async () => {
  const metrics = metricsOf()
  metrics.add({ name: 'disco_slow', help: 'Slow.', read: () => sleep(10, 3) })
  const texts = await Promise.all([metrics.text(), metrics.text()])
  for (const text of texts) assert.match(text, /^disco_slow 3$/m)
})

test('adds up what several processes counted, and keeps their own apart', async () => {
  const [main, worker] = [metricsOf('main'), metricsOf('worker-1')]
  for (const metrics of [main, worker]) await metrics.requests.during(seen(), async () => {})
  // as it goes from one process to another
  const sent = JSON.parse(JSON.stringify(await worker.snapshot()))
  const text = await main.text([sent])
  assert.match(text, /^registry_http_requests_total\{handler="manifest",code="200",method="get"\} 2$/m)
  assert.match(text, /^registry_http_request_duration_seconds_count\{handler="manifest",method="get"\} 2$/m)
  assert.match(text, /^process_resident_memory_bytes\{process="main"\} \d+$/m)
  assert.match(text, /^process_resident_memory_bytes\{process="worker-1"\} \d+$/m)
})
