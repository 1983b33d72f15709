import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { Endpoint } from '../../src/notifications/endpoint.ts'
import type { EventAction, EventTarget, RegistryEvent } from '../../src/notifications/event.ts'
import { EventQueue } from '../../src/notifications/event-queue.ts'
import { Notifications } from '../../src/notifications/notifications.ts'
import { EmbeddedStore } from '../../src/storage/embedded/store.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import { until } from '../http/harness.ts'
import { startReceiver } from './receiver.ts'

let count = 0

function event(action: EventAction, target: Partial<EventTarget> = {}): RegistryEvent {
  return {
    id: `event-${count++}`,
    timestamp: new Date().toISOString(),
    action,
    target: { repository: 'a', ...target },
    request: { id: 'r', addr: '192.0.2.1', host: 'registry.example', method: 'PUT', useragent: 'test' },
    actor: {},
    source: { addr: 'here:1970', instanceID: 'x' },
  }
}

function endpoint(url: string, given: Partial<Endpoint> = {}): Endpoint {
  return { name: 'hook', url, timeout: 2_000, threshold: 3, backoff: 100, ...given }
}

async function start(context: TestContext, store: ObjectStore, endpoints: readonly Endpoint[], deliver = true): Promise<Notifications> {
  const notifications = new Notifications({ store, endpoints, deliver, log: silentLogger() })
  await notifications.start()
  context.after(() => notifications.stop())
  return notifications
}

describe('notifications', () => {
  it('deliver what happened, in its order, in Distribution\'s envelope, with the headers that the endpoint wants', async (t) => {
    const receiver = await startReceiver(t)
    const notifications = await start(t, new MemoryStore(), [endpoint(receiver.url, { headers: { Authorization: ['Bearer secret'], 'X-Two': ['1', '2'] } })])
    const told = [event('push'), event('mount'), event('delete'), event('push')]
    for (const one of told) await notifications.tell(one)
    await until(() => receiver.taken.length === 4)
    assert.deepEqual(receiver.taken, told)
    assert.equal(receiver.headers[0]?.['content-type'], 'application/vnd.docker.distribution.events.v2+json')
    assert.equal(receiver.headers[0]?.authorization, 'Bearer secret')
    assert.equal(receiver.headers[0]?.['x-two'], '1, 2')
  })

  it('send the user of a URL as credentials', async (t) => {
    const receiver = await startReceiver(t)
    const notifications = await start(t, new MemoryStore(), [endpoint(receiver.url.replace('http://', 'http://me:p%40ss@'))])
    await notifications.tell(event('push'))
    await until(() => receiver.taken.length === 1)
    assert.equal(receiver.headers[0]?.authorization, `Basic ${Buffer.from('me:p@ss').toString('base64')}`)
  })

  it('leave out what an endpoint ignores', async (t) => {
    const [all, some] = [await startReceiver(t), await startReceiver(t)]
    const notifications = await start(t, new MemoryStore(), [
      endpoint(all.url, { name: 'all' }),
      endpoint(some.url, { name: 'some', ignoredMediaTypes: ['application/octet-stream'], ignoredActions: ['pull'] }),
    ])
    await notifications.tell(event('pull', { mediaType: 'manifest' }))
    await notifications.tell(event('push', { mediaType: 'application/octet-stream' }))
    const wanted = event('push', { mediaType: 'manifest' })
    await notifications.tell(wanted)
    await until(() => all.taken.length === 3 && some.taken.length === 1)
    assert.deepEqual(some.taken, [wanted])
  })

  it('keep what an endpoint does not take, and deliver it once it does, each event once', async (t) => {
    const receiver = await startReceiver(t)
    receiver.status = 503
    const notifications = await start(t, new MemoryStore(), [endpoint(receiver.url)])
    const told = Array.from({ length: 250 }, () => event('push'))
    await Promise.all(told.map((one) => notifications.tell(one)))
    await until(() => receiver.headers.length > 5)
    assert.equal((await notifications.waiting()).get('hook'), 250)
    receiver.status = 202
    await until(() => receiver.taken.length >= 250)
    assert.deepEqual(receiver.taken.map(({ id }) => id).toSorted(), told.map(({ id }) => id).toSorted())
    await until(async () => (await notifications.waiting()).get('hook') === 0)
    const attempts = new Map(notifications.attempts().map(({ outcome, count }) => [outcome, count]))
    assert.ok((attempts.get('503') ?? 0) > 5)
    assert.equal((attempts.get('503') ?? 0) + (attempts.get('202') ?? 0), receiver.headers.length)
  })

  it('leave an endpoint alone that failed too often in a row', async (t) => {
    const receiver = await startReceiver(t)
    receiver.status = 500
    const notifications = await start(t, new MemoryStore(), [endpoint(receiver.url, { threshold: 3, backoff: 60_000 })])
    await notifications.tell(event('push'))
    await until(() => receiver.headers.length === 3)
    await new Promise((resolve) => setTimeout(resolve, 500))
    assert.equal(receiver.headers.length, 3)
  })

  it('go on with the others while one hangs', async (t) => {
    const [hanging, quick] = [await startReceiver(t), await startReceiver(t)]
    hanging.delay = 60_000
    const notifications = await start(t, new MemoryStore(), [endpoint(hanging.url, { name: 'a', timeout: 50 }), endpoint(quick.url, { name: 'b' })])
    await notifications.tell(event('push'))
    await until(() => quick.taken.length === 1 && hanging.headers.length > 1)
    assert.equal((await notifications.waiting()).get('a'), 1)
  })

  it('survive a restart: what was told and not taken is delivered by the next run', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'disco-events-'))
    t.after(() => rm(directory, { recursive: true }))
    const down = endpoint('http://127.0.0.1:9/events')
    const told = [event('push'), event('pull'), event('delete')]
    const first = await EmbeddedStore.open(directory)
    const before = new Notifications({ store: first, endpoints: [down], deliver: true, log: silentLogger() })
    await before.start()
    for (const one of told) await before.tell(one)
    await before.stop()
    await first.close()

    const receiver = await startReceiver(t)
    const second = await EmbeddedStore.open(directory)
    t.after(() => second.close())
    await start(t, second, [{ ...down, url: receiver.url }])
    await until(() => receiver.taken.length === 3)
    assert.deepEqual(receiver.taken.map(({ id }) => id).toSorted(), told.map(({ id }) => id))
  })

  it('are delivered by one process, whichever was told', async (t) => {
    const receiver = await startReceiver(t)
    const store = new MemoryStore()
    const other = await start(t, store, [endpoint(receiver.url)], false)
    await start(t, store, [endpoint(receiver.url)])
    const told = event('push')
    await other.tell(told)
    await until(() => receiver.taken.length === 1)
    assert.deepEqual(receiver.taken, [told])
  })

  it('drop the queue of an endpoint that is not configured any more', async (t) => {
    const store = new MemoryStore()
    const gone = new EventQueue(store, '../gone')
    await store.commit({ changes: gone.additions([event('push')]) })
    await start(t, store, [endpoint('http://127.0.0.1:9/')])
    assert.equal(await gone.count(10), 0)
  })
})
