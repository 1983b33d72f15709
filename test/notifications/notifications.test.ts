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
import type { Logger } from '../../src/telemetry/logger.ts'
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

  for (const status of [302, 307]) {
    it(`do not follow a redirect, which would carry credentials elsewhere, or lose the events (${status})`, async (t) => {
      const [receiver, elsewhere] = [await startReceiver(t), await startReceiver(t)]
      receiver.status = status
      receiver.location = elsewhere.url
      const notifications = await start(t, new MemoryStore(), [endpoint(receiver.url, { headers: { 'X-Api-Key': ['secret'] } })])
      await notifications.tell(event('push'))
      await until(() => receiver.headers.length > 1)
      assert.equal(elsewhere.headers.length, 0)
      assert.equal((await notifications.waiting()).get('hook'), 1)
    })
  }

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

  it('keep the queue of an endpoint that is silent for now', async () => {
    const store = new MemoryStore()
    const silent = new EventQueue(store, 'silent')
    await store.commit({ changes: silent.additions([event('push')]) })
    const notifications = new Notifications({ store, endpoints: [endpoint('http://127.0.0.1:9/')], silent: ['silent'], deliver: true, log: silentLogger() })
    await notifications.start()
    await notifications.stop()
    assert.equal(await silent.count(10), 1)
  })

  it('hold no more pulls in memory than there is room for while the store hangs, and say what is lost', async () => {
    const hanging = Promise.withResolvers<void>()
    class HangingStore extends MemoryStore {
      override async commit(...given: Parameters<MemoryStore['commit']>): Promise<void> {
        await hanging.promise
        await super.commit(...given)
      }
    }
    const lines: unknown[] = []
    const log = { ...silentLogger(), error: (line: unknown) => void lines.push(line) } as unknown as Logger
    const notifications = new Notifications({ store: new HangingStore(), endpoints: [endpoint('http://127.0.0.1:9/')], deliver: false, log })
    const pull = event('pull', { references: Array.from({ length: 99 }, () => ({ mediaType: 'a/b', digest: 'sha256:0', size: 1 })) })
    for (let i = 0; i < 150; i++) await notifications.tell(pull)
    hanging.resolve()
    await notifications.stop()
    assert.equal((await notifications.waiting()).get('hook'), 100)
    assert.deepEqual(lines, [{ events: 50 }])
  })
})

describe('a queue of events', () => {
  it('keeps its order when the clock is set back', async (t) => {
    const store = new MemoryStore()
    const queue = new EventQueue(store, 'hook')
    const [first, second] = [event('push'), event('delete')]
    t.mock.timers.enable({ apis: ['Date'], now: 2_000_000 })
    await store.commit({ changes: queue.additions([first]) })
    t.mock.timers.setTime(1_000_000)
    await store.commit({ changes: queue.additions([second]) })
    assert.deepEqual((await queue.first(2)).map((queued) => queued.event), [first, second])
  })

  it('gives few at once where they are large, and always one', async () => {
    const store = new MemoryStore()
    const queue = new EventQueue(store, 'hook')
    const large = (megabytes: number): RegistryEvent => event('push', { url: 'x'.repeat(megabytes * 1024 * 1024) })
    await store.commit({ changes: queue.additions([large(0.4), large(0.4), large(0.4), large(2)]) })
    const sizes: number[] = []
    for (let events = await queue.first(100); events.length > 0; events = await queue.first(100)) {
      sizes.push(events.length)
      await queue.remove(events.map(({ id }) => id))
    }
    assert.deepEqual(sizes, [2, 1, 1])
  })
})
