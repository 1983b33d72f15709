import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { assertPromises } from '../../crash/promises.ts'
import type { S3Options } from '../../../src/storage/bucket/s3/options.ts'
import { onBucket } from '../harness/bucket-flags.ts'
import { unusedPort, type DiscoServer } from '../harness/disco.ts'
import { HAProxy } from '../harness/haproxy.ts'
import { RegistryClient, digestOf, hexOf } from '../harness/registry-client.ts'
import { S3Server } from '../harness/s3.ts'
import { Scene } from '../harness/scene.ts'
import { until } from '../harness/until.ts'
import { assertClonable, assertComplete, assertGlobal } from '../harness/verify.ts'
import { Figures } from './load/figures.ts'
import { DELETED, Load, MOVED } from './load/load.ts'
import { PatientClient } from './load/patient-client.ts'

/** Seconds of load, and between two kills; ten minutes with one a minute: `DISCO_TEST_LOAD=600 DISCO_TEST_KILL_EVERY=60`. */
const LOAD = Number(process.env['DISCO_TEST_LOAD'] ?? 60)
const KILL_EVERY = Number(process.env['DISCO_TEST_KILL_EVERY'] ?? 12)
/** Of so many one is pulled whole by each of its names; the others by their CIDs. */
const GLOBAL_EVERY = 10
/** Images that are cloned by another one at the end: not all, where there are hundreds. */
const CLONED = 60
/** Bytes of a lock that nobody has; how long one of a dead server's lasts, and until another looks after it. */
const NOBODY = 64
const LOCKS_MS = 90_000

/** One of the replicas, wherever it is in its lives. */
interface Replica {
  readonly port: number
  readonly start: () => Promise<DiscoServer>
  server: DiscoServer
}

describe('three Discos on one bucket behind haproxy, under load', { timeout: (LOAD * 3 + 600) * 1000 }, () => {
  let scene: Scene
  let s3: S3Server
  let bucket: S3Options
  let replicas: readonly Replica[]
  let proxy: HAProxy
  let origin: DiscoServer
  const figures = new Figures()

  before(async () => {
    scene = await Scene.begin()
    s3 = await S3Server.start()
    scene.atEnd(() => s3.remove())
    bucket = { ...(await s3.bucket()), chunkSize: 5 * 1024 * 1024 }
    origin = await scene.disco('origin')
    const env = { ...onBucket(bucket), REGISTRY_STORAGE_DELETE_ENABLED: 'true' }
    replicas = await Promise.all(['one', 'two', 'three'].map(async (name): Promise<Replica> => {
      const port = await unusedPort()
      const start = (): Promise<DiscoServer> => scene.disco(name, { env, port, peers: [origin.url] })
      return { port, start, server: await start() }
    }))
    proxy = await HAProxy.start(scene, replicas.map(({ server }) => server.host))
  })
  after(() => scene.end())

  /** One after the other, each for a few seconds, at any time of its turn. */
  async function killInTurns(stop: AbortSignal): Promise<void> {
    const begun = performance.now()
    for (let turn = 0; ; turn++) {
      const at = begun + (turn + 0.2 + Math.random() * 0.4) * KILL_EVERY * 1000
      await sleep(Math.max(0, at - performance.now()), undefined, { signal: stop }).catch(() => {})
      if (stop.aborted) return
      const replica = replicas[turn % replicas.length] ?? assert.fail()
      await replica.server.kill()
      figures.count('kills')
      await sleep(randomInt(500, 4000))
      replica.server = await replica.start()
    }
  }

  it(`keep in ${LOAD} s what they said, whichever of them is killed`, async (t) => {
    const stop = AbortSignal.timeout(LOAD * 1000)
    const failed = new AbortController()
    const over = AbortSignal.any([stop, failed.signal])
    const all = new PatientClient(proxy.url, figures, failed.signal)
    const each = replicas.map(({ server }) => new PatientClient(server.url, figures, failed.signal))
    const load = new Load({ all, each, origin: new RegistryClient(origin.url) }, figures, over)
    const killing = killInTurns(over)
    try {
      await load.run()
    } finally {
      failed.abort()
      await killing
      t.diagnostic(`${figures} by server: ${(await proxy.counts()).join(', ')}`)
    }
    assert.ok(figures.of('kills') > 0 && figures.of('pushes') > 10 && figures.of('pulls') > 10 && figures.of('clones') > 2, String(figures))
    assert.ok((await proxy.counts()).every((count) => count > 100))
    await assertKept(t, load)
  })

  async function assertKept(t: TestContext, load: Load): Promise<void> {
    const begun = performance.now()
    const clients = replicas.map(({ server }) => new RegistryClient(server.url))
    const [first = assert.fail()] = clients
    for (const [number, { cid, digest, tagged }] of load.acknowledged.entries()) {
      for (const client of clients) {
        await assertComplete(client, cid, 'latest', digest)
        for (const [name, reference] of [[cid, digest], [hexOf(digest), cid], [hexOf(digest), digest]] as const) {
          assert.equal(digestOf((await client.manifest(name, reference)).bytes), digest, `${client.url}: ${name} ${reference}`)
        }
      }
      if (number % GLOBAL_EVERY === 0) await assertGlobal(first, digest, cid)
      if (tagged !== undefined) for (const client of clients) await assertComplete(client, tagged.name, tagged.tag, digest)
    }
    for (const attempt of load.givenUp) {
      const told = await Promise.all(clients.map((client) => assertPromises(client, attempt)))
      assert.equal(new Set(told).size, 1, 'each says the same of it')
    }
    for (const tag of load.tags.keys()) {
      const told = await Promise.all(clients.map((client) => load.assertTag(client, tag)))
      assert.equal(new Set(told).size, 1, `each says the same of ${tag}: ${told.join(', ')}`)
      for (const client of clients) assert.equal((await client.tags(MOVED))?.includes(tag), told[0] !== undefined)
    }
    for (const gone of load.deleted) for (const client of clients) assert.equal((await client.manifest(DELETED, gone)).status, 404, `${gone} came back`)
    const taker = await scene.disco('taker', { peers: [replicas[1]?.server.multiaddr() ?? '', replicas[2]?.server.url ?? ''] })
    for (const { cid, digest } of load.acknowledged.toReversed().slice(0, CLONED)) await assertClonable(new RegistryClient(taker.url), digest, cid)
    await taker.stop()
    await assertNothingLeft()
    t.diagnostic(`${load.acknowledged.length} images, ${load.givenUp.length} given up, ${load.deleted.length} deleted: looked at in ${Math.round((performance.now() - begun) / 1000)} s`)
  }

  /** Locks run out, and what was noted under them is done; uploads that nobody finished go when they are purged. */
  async function assertNothingLeft(): Promise<void> {
    const files = s3.files(bucket)
    const locks = join(files, '.disco/locks')
    await until(async () => {
      const sizes = await Promise.all((await readdir(locks)).map(async (name) => (await stat(join(locks, name))).size))
      return sizes.every((size) => size <= NOBODY)
    }, { what: 'nobody has a lock', timeout: LOCKS_MS, every: 1000 })
    for (const { server } of replicas) await server.stop()
    const purging = await scene.disco('purging', { env: { ...onBucket(bucket), REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_AGE: '1ms' } })
    const sessions = async (): Promise<string[]> => (await readdir(join(files, '.disco/uploads'), { recursive: true }).catch(() => [])).filter((path) => path.endsWith('/session'))
    await until(async () => (await sessions()).length === 0, { what: 'no upload is left', timeout: LOCKS_MS, every: 500 })
    await purging.stop()
  }
})
