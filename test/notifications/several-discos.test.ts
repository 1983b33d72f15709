import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RegistryEvent } from '../../src/notifications/event.ts'
import { Notifications } from '../../src/notifications/notifications.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import { until } from '../http/harness.ts'
import { startReceiver } from './receiver.ts'

const INTERVAL = 50

function event(id: string): RegistryEvent {
  return {
    id, timestamp: new Date().toISOString(), action: 'push', target: { repository: 'a' }, actor: {}, source: { addr: 'here:1970', instanceID: 'x' },
    request: { id: 'r', addr: '192.0.2.1', host: 'registry.example', method: 'PUT', useragent: 'test' },
  }
}

describe('notifications of several Discos on one store', () => {
  async function start(context: TestContext, store: MemoryStore, url: string, name: string): Promise<Notifications> {
    const endpoints = [{ name: 'hook', url, timeout: 2_000, threshold: 3, backoff: 100 }]
    const notifications = new Notifications({ store, endpoints, deliver: true, among: { name, interval: INTERVAL }, log: silentLogger() })
    await notifications.start()
    context.after(() => notifications.stop())
    return notifications
  }

  const deliveries = (each: readonly Notifications[]): number[] => each.map((one) => one.attempts().reduce((sum, { count }) => sum + count, 0))

  it('are delivered by one of them, each once, whoever was told', async (t) => {
    const receiver = await startReceiver(t)
    receiver.delay = 20
    const store = new MemoryStore()
    const all = [await start(t, store, receiver.url, 'one'), await start(t, store, receiver.url, 'two'), await start(t, store, receiver.url, 'three')]
    await sleep(2 * INTERVAL)
    const ids = Array.from({ length: 30 }, (_, number) => `event ${number}`)
    for (const [number, id] of ids.entries()) await all[number % all.length]?.tell(event(id))
    await until(() => receiver.taken.length >= ids.length)
    await sleep(4 * INTERVAL)
    assert.deepEqual(receiver.taken.map(({ id }) => id).sort(), ids.sort())
    assert.equal(deliveries(all).filter((count) => count > 0).length, 1)
  })

  it('are taken over at once from one that stops', async (t) => {
    const receiver = await startReceiver(t)
    const store = new MemoryStore()
    const first = await start(t, store, receiver.url, 'first')
    await sleep(2 * INTERVAL)
    const second = await start(t, store, receiver.url, 'second')
    await second.tell(event('before'))
    await until(() => receiver.taken.length === 1)
    // Stopped before it has heard that the event was taken, it would leave it to the second, which sends it again.
    await until(async () => (await first.waiting()).get('hook') === 0)
    assert.deepEqual(deliveries([second]), [0])
    await first.stop()
    await second.tell(event('after'))
    await until(() => receiver.taken.length === 2 && deliveries([second])[0] === 1)
  })

  it('are taken over from one that died, once it has been silent for long enough, and at once by itself', async (t) => {
    for (const [name, atOnce] of [['another', false], ['dead', true]] as const) {
      const receiver = await startReceiver(t)
      const store = new MemoryStore()
      await store.commit({ changes: [{ put: 'disco/delivery/holder', data: Buffer.from('{"holder":"dead","signs":7}') }] })
      const notifications = await start(t, store, receiver.url, name)
      await notifications.tell(event('waits'))
      await sleep(INTERVAL)
      if (!atOnce) assert.deepEqual(receiver.taken, [])
      await until(() => receiver.taken.length === 1)
    }
  })

  it('are delivered whatever is in the place of the turn', async (t) => {
    const receiver = await startReceiver(t)
    const store = new MemoryStore()
    await store.commit({ changes: [{ put: 'disco/delivery/holder', data: Buffer.from('no JSON') }] })
    const notifications = await start(t, store, receiver.url, 'one')
    await notifications.tell(event('waits'))
    await until(() => receiver.taken.length === 1)
  })
})
