import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { addChecks } from '../../src/assembly/health-checks.ts'
import { completeConfig } from '../../src/config/load.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import type { Logger } from '../../src/telemetry/logger.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import { Health } from '../../src/telemetry/health.ts'
import { fileProbe, httpProbe, tcpProbe } from '../../src/telemetry/health-checks.ts'

const healthOf = (): Health => new Health(silentLogger())

test('counts failures in a row, and forgets them when it goes well', async () => {
  const health = healthOf()
  let fails = true
  health.add('store', async () => { if (fails) throw new Error('broken') }, { interval: 0, threshold: 2 })
  assert.deepEqual(await health.failures(), {})
  assert.deepEqual(await health.failures(), { store: 'broken' })
  fails = false
  assert.deepEqual(await health.failures(), {})
  fails = true
  assert.deepEqual(await health.failures(), {})
})

test('asks once for all who ask, and not again before its time', async () => {
  const health = healthOf()
  let asked = 0
  health.add('store', async () => { asked++ }, { interval: 60_000 })
  await Promise.all([health.failures(), health.failures()])
  await health.failures()
  assert.equal(asked, 1)
})

test('takes no answer for a failure, also of what does not look at its signal', async () => {
  const health = healthOf()
  health.add('store', () => new Promise(() => {}), { timeout: 10 })
  assert.match((await health.failures())['store'] ?? '', /no answer within/)
})

test('says so once it is stopping, and while somebody has taken it out', async () => {
  const health = healthOf()
  health.rotation = 'down'
  assert.deepEqual(await health.failures(), { manual_http_status: 'manual Check' })
  health.rotation = 'up'
  assert.deepEqual(await health.failures(), {})
  health.stop()
  assert.deepEqual(Object.keys(await health.failures()), ['stopping'])
})

test('fails while a file is there', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'disco-health-'))
  try {
    const probe = fileProbe(join(directory, 'down'))
    await probe(AbortSignal.timeout(1000))
    await writeFile(join(directory, 'down'), '')
    await assert.rejects(probe(AbortSignal.timeout(1000)), /file exists/)
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('shows nobody the password of a URL that is checked, and sends it', async (t) => {
  const lines: unknown[] = []
  const health = new Health({ ...silentLogger(), warn: (...line: unknown[]) => void lines.push(line) } as unknown as Logger)
  const sent: unknown[] = []
  const server = createServer(({ headers: { authorization } }, response) => {
    sent.push(authorization)
    response.writeHead(500).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.closeAllConnections())
  t.after(() => server.close())
  const uri = `http://me:sesame@127.0.0.1:${(server.address() as AddressInfo).port}/`
  addChecks(health, completeConfig({ healthStorageEnabled: false, healthHttp: [{ uri }] as never }), { store: new MemoryStore(), checks: [] })
  const failures = JSON.stringify(await health.failures())
  assert.match(failures, /unexpected status: 500/)
  assert.doesNotMatch(failures + inspect(lines, { depth: 9 }), /sesame/)
  assert.deepEqual(sent, [`Basic ${btoa('me:sesame')}`])
})

test('wants a status over HTTP, and somebody who listens over TCP', async () => {
  const server = createServer((request, response) => response.writeHead(request.method === 'HEAD' && request.headers['x-key'] === 'a, b' ? 204 : 500).end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const signal = (): AbortSignal => AbortSignal.timeout(5000)
  await httpProbe(`http://127.0.0.1:${port}`, { status: 204, headers: { 'X-Key': ['a', 'b'] } })(signal())
  await assert.rejects(httpProbe(`http://127.0.0.1:${port}`)(signal()), /unexpected status: 500/)
  await tcpProbe(`127.0.0.1:${port}`)(signal())
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await assert.rejects(tcpProbe(`127.0.0.1:${port}`)(signal()), /ECONNREFUSED/)
  const health = healthOf()
  health.add('hook', httpProbe(`http://127.0.0.1:${port}`))
  assert.match((await health.failures())['hook'] ?? '', /fetch failed: .*ECONNREFUSED/)
})
