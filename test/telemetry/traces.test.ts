import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createDisco, type Disco, type DiscoOptions } from '../../src/disco.ts'
import { digestOf, formatDigest } from '../../src/oci/digest.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import { OtlpTracer } from '../../src/telemetry/otlp-tracer.ts'
import { RequestTraces } from '../../src/telemetry/request-traces.ts'
import { samplerOf } from '../../src/telemetry/sampler.ts'
import { until } from '../http/harness.ts'
import { pushImage } from '../cli/image.ts'
import { startReceiver, valueOf, type ReceivedSpan } from './otlp-receiver.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const CALLER = 'b7ad6b7169203331'

test('a pull by CID is one trace, from who asked, over the clone and its fetches, to the gateway of the other', async (context) => {
  const { endpoint, spans } = await startReceiver(context)
  const directory = await mkdtemp(join(tmpdir(), 'disco-traces-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  const discoAt = (name: string, options: DiscoOptions = {}): Promise<Disco> =>
    createDisco({ data: join(directory, name), network: 'private', host: '127.0.0.1', port: 0, listen: ['/ip4/127.0.0.1/tcp/0'], otlpEndpoint: endpoint, ...options })
  const first = await discoAt('first')
  const peer = await first.start()
  const { cid } = await pushImage(first.registry)
  const second = await discoAt('second', { peer: [peer] })
  const address = await second.start()
  const pulled = await fetch(`${address}/v2/${cid}/manifests/latest`, { headers: { traceparent: `00-${TRACE}-${CALLER}-01` } })
  assert.equal(pulled.status, 200)
  await pulled.bytes()
  await second.service.cloneGlobalRepo(cid)
  await second.stop()
  await first.stop()

  const ours = spans.filter(({ traceId }) => traceId === TRACE)
  const request = ours.find(({ parentSpanId }) => parentSpanId === CALLER)
  assert.ok(request)
  assert.equal(request.name, 'HTTP GET')
  assert.equal(request.service, 'disco')
  assert.equal(valueOf(request.attributes, 'http.route'), 'manifest')
  assert.equal(Number(valueOf(request.attributes, 'http.response.status_code')), 200)
  const within = (span: ReceivedSpan | undefined): readonly ReceivedSpan[] => ours.filter(({ parentSpanId }) => parentSpanId === span?.spanId)
  const clone = within(request).find(({ name }) => name === 'clone')
  assert.equal(valueOf(clone?.attributes ?? [], 'disco.cid'), cid)
  const names = within(clone).map(({ name }) => name)
  for (const name of ['ipfs search', 'ipfs tree', 'ipfs fetch', 'storage Commit']) assert.ok(names.includes(name), `${name} in ${names.join(', ')}`)
  const search = within(clone).find(({ name }) => name === 'ipfs search')
  assert.deepEqual(within(search).map(({ attributes }) => valueOf(attributes, 'http.route')), ['gateway'])
})

test('what is stored for a request is within it, and what delivers notifications within none', async (context) => {
  const { endpoint, spans } = await startReceiver(context)
  let deliveries = 0
  const hook = createServer((request, response) => {
    request.resume()
    response.end()
    deliveries++
  })
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve))
  context.after(() => hook.close())
  context.after(() => hook.closeAllConnections())
  const directory = await mkdtemp(join(tmpdir(), 'disco-traces-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  const disco = await createDisco({
    data: directory, network: 'private', host: '127.0.0.1', port: 0, listen: ['/ip4/127.0.0.1/tcp/0'], otlpEndpoint: endpoint,
    notificationEndpoints: [{ name: 'hook', url: `http://127.0.0.1:${(hook.address() as AddressInfo).port}` }] as never,
  })
  const address = await disco.start()
  for (const size of [1000, 2000]) {
    const body = new Uint8Array(size)
    const pushed = await fetch(`${address}/v2/a/blobs/uploads/?digest=${formatDigest(digestOf(body))}`, { method: 'POST', body })
    assert.equal(pushed.status, 201)
    // what comes second is delivered when the first is dropped
    await until(() => deliveries === size / 1000)
  }
  await disco.stop()

  const within = (parent: string | undefined): string[] => spans.filter(({ parentSpanId }) => (parentSpanId || undefined) === parent).map(({ name }) => name)
  const requests = spans.filter(({ name }) => name === 'HTTP POST')
  // the blob and the event for the endpoint
  const expected = ['storage Append', 'storage Commit', 'storage Commit']
  assert.deepEqual(requests.map(({ spanId }) => within(spanId).filter((name) => expected.includes(name)).toSorted()), [expected, expected])
  assert.ok(within(undefined).includes('storage Commit'))
  assert.ok(!within(undefined).includes('storage Append'))
})

test('methods that anybody may invent name no span', async (context) => {
  const { endpoint, spans } = await startReceiver(context)
  const tracer = new OtlpTracer({ endpoint, env: {}, log: silentLogger() })
  const seen = { id: 'id', method: 'BREW-4711', traceparent: undefined, handler: 'other', user: undefined, status: 405, errorCode: undefined, received: 0, sent: 0 }
  await new RequestTraces(tracer).during(seen, async () => {})
  await tracer.close()
  assert.deepEqual(spans.map(({ name, attributes }) => [name, valueOf(attributes, 'http.request.method')]), [['HTTP', '_OTHER']])
})

test('what fails is told with its reason', async (context) => {
  const { endpoint, spans } = await startReceiver(context)
  const tracer = new OtlpTracer({ endpoint, env: {}, log: silentLogger() })
  await assert.rejects(tracer.span('outer', {}, () => tracer.span('inner', {}, async () => { throw new Error('no') })), /no/)
  assert.equal(tracer.traceparent(), undefined)
  await tracer.close()
  assert.deepEqual(spans.map(({ name, status }) => [name, status.code, status.message]), [['inner', 2, 'no'], ['outer', 2, 'no']])
})

test('a parent that is no trace context is as none', async (context) => {
  const { endpoint, spans } = await startReceiver(context)
  const tracer = new OtlpTracer({ endpoint, env: {}, log: silentLogger() })
  for (const traceparent of ['', `ff-${TRACE}-${CALLER}-01`, `00-${'0'.repeat(32)}-${CALLER}-01`, `00-${TRACE}-${CALLER}`]) {
    await tracer.span('root', { traceparent }, async () => {})
  }
  await tracer.close()
  assert.deepEqual(spans.map(({ traceId, parentSpanId }) => [traceId === TRACE, parentSpanId ?? '']), Array.from({ length: 4 }, () => [false, '']))
})

test('who is not sampled sends nothing, and says so to the next', async (context) => {
  const { endpoint, spans } = await startReceiver(context)
  const tracer = new OtlpTracer({ endpoint, env: { OTEL_TRACES_SAMPLER: 'always_off' }, log: silentLogger() })
  await tracer.span('one', {}, async () => assert.match(tracer.traceparent() ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/))
  await tracer.close()
  assert.deepEqual(spans, [])
  assert.throws(() => samplerOf('sometimes'), /none of always_on/)
  assert.throws(() => samplerOf('parentbased_traceidratio', '2'), /not a number from 0 to 1/)
})
