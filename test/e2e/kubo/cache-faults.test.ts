import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { push, pushAttempt, type PushAttempt } from '../../crash/push-attempt.ts'
import { randomImage } from '../../crash/random-image.ts'
import { CachePlace, sharedPaths } from '../harness/cache-place.ts'
import type { DiscoServer } from '../harness/disco.ts'
import type { Kubo } from '../harness/kubo.ts'
import { RegistryClient } from '../harness/registry-client.ts'
import { S3Server } from '../harness/s3.ts'
import { Scene } from '../harness/scene.ts'
import { Toxiproxy, type Toxic } from '../harness/toxiproxy.ts'
import { until } from '../harness/until.ts'
import { assertComplete } from '../harness/verify.ts'

const FAULTS: readonly (readonly [string, Toxic])[] = [
  ['answers late', { type: 'latency', stream: 'downstream', attributes: { latency: 300 } }],
  ['cuts every connection after some bytes to the client', { type: 'limit_data', stream: 'downstream', attributes: { bytes: 700_000 } }],
  ['cuts every connection after some bytes to the server', { type: 'limit_data', stream: 'upstream', attributes: { bytes: 700_000 } }],
  ['cuts one connection in three before it answers', { type: 'reset_peer', stream: 'downstream', attributes: { timeout: 0 }, toxicity: 0.3 }],
  ['is slow', { type: 'bandwidth', stream: 'downstream', attributes: { rate: 200 } }],
  ['is slow to the server', { type: 'bandwidth', stream: 'upstream', attributes: { rate: 200 } }],
  ['swallows all', { type: 'timeout', stream: 'downstream', attributes: { timeout: 0 } }],
]
/** Milliseconds that a pull of what IPFS has may take at most, whatever the cache does. */
const PULL = 10_000
const FILLED = 60_000

describe('a Kubo with a cache in a bucket behind a bad network', { timeout: 600_000 }, () => {
  let scene: Scene
  let bucket: S3Server
  let kubo: Kubo
  let way: Toxiproxy
  let cache: CachePlace
  let server: DiscoServer
  let client: RegistryClient
  let kept: PushAttempt
  let pushes = 0

  before(async () => {
    scene = await Scene.begin()
    bucket = await S3Server.start()
    scene.atEnd(() => bucket.remove())
    way = await Toxiproxy.before(bucket.host)
    scene.atEnd(() => way.remove())
    const { bucket: name } = await bucket.bucket()
    cache = CachePlace.on(bucket, bucket.options(name, way.host))
    kubo = await scene.kubo()
    await start()
    kept = await pushed()
    await filled(kept)
  })
  after(() => scene.end())

  async function start(): Promise<void> {
    server = await scene.disco('data', { kubos: [kubo], args: ['--noclone'], env: { ...cache.env, REGISTRY_STORAGE_DELETE_ENABLED: 'true' } })
    client = new RegistryClient(server.url)
  }

  async function pushed(tag = 'latest'): Promise<PushAttempt> {
    const attempt = pushAttempt(`faults/${pushes}`, tag, randomImage(`cache faults ${pushes++}`))
    await push(client, attempt)
    return attempt
  }

  async function pulled({ cid = '', image }: PushAttempt): Promise<number> {
    const began = performance.now()
    await assertComplete(client, cid, 'latest', image.digest)
    return performance.now() - began
  }

  async function filled({ cid = '', image }: PushAttempt): Promise<void> {
    await cache.assertHas(await sharedPaths(client, cid, image.digest), FILLED)
  }

  for (const [what, toxic] of FAULTS) {
    it(`pushes and pulls when it ${what}, and fills the cache afterwards`, async (t) => {
      const [fresh, times] = await way.with(toxic, async () => {
        const began = performance.now()
        const image = await pushed()
        const times = [performance.now() - began, await pulled(kept), await pulled(image), await pulled(kept)].map(Math.round)
        return [image, times] as const
      })
      t.diagnostic(times.join(' '))
      for (const time of times) assert.ok(time < PULL, `${time} ms`)
      const began = performance.now()
      await filled(fresh)
      t.diagnostic(`filled after ${Math.round(performance.now() - began)} ms`)
      await cache.assertRight()
    })
  }

  it('pushes and pulls while its server is gone, and fills the cache when it is back', async (t) => {
    await bucket.kill()
    const fresh = await pushed()
    const times = [await pulled(kept), await pulled(fresh)].map(Math.round)
    await bucket.up()
    await filled(fresh)
    t.diagnostic(times.join(' '))
    for (const time of times) assert.ok(time < PULL, `${time} ms`)
    await cache.assertRight()
  })

  it('brings nothing back that was deleted while its server was gone', async () => {
    const images = [await pushed('v1'), await pushed('v1')]
    for (const image of images) await filled(image)
    const tagInCache = (name: string): string => `repositories/${name}/_manifests/tags/v1/current/link`
    await cache.assertHas(images.map(({ name }) => tagInCache(name)))
    await bucket.kill()
    for (const [number, { name, image }] of images.entries()) {
      assert.equal((await client.request('DELETE', `/v2/${name}/manifests/${number === 0 ? 'v1' : image.digest}`)).status, 202)
    }
    const assertGone = async (): Promise<void> => {
      for (const { name } of images) assert.equal((await client.manifest(name, 'v1')).status, 404)
      assert.equal((await client.manifest(images[1]?.name ?? '', images[1]?.image.digest ?? '')).status, 404)
    }
    await assertGone()
    await server.kill()
    await bucket.up()
    await start()
    await assertGone()
    await until(async () => !(await cache.has(tagInCache(images[0]?.name ?? ''))) && !(await cache.has(tagInCache(images[1]?.name ?? ''))), { what: 'the cache has heard of it' })
    await assertGone()
    for (const image of images) await pulled(image)
  })
})
