import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { StoreReader } from '../../../src/storage/embedded/store-reader.ts'
import { answers } from '../../crash/promises.ts'
import { push, pushAttempt, type PushAttempt } from '../../crash/push-attempt.ts'
import { randomImage } from '../../crash/random-image.ts'
import { CachePlace, sharedPaths } from '../harness/cache-place.ts'
import { filesBelow } from '../harness/directory-files.ts'
import type { DiscoServer } from '../harness/disco.ts'
import type { Kubo } from '../harness/kubo.ts'
import { RegistryClient, type Answer } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'
import { until } from '../harness/until.ts'
import { assertComplete, assertGlobal } from '../harness/verify.ts'

const PULLS = 12

/** Each request has a connection of its own: processes take those by turns. */
class TurningClient extends RegistryClient {
  override async request(method: string, path: string, { headers = {}, body }: RequestInit = {}): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const sent = request(new URL(path, this.url), { method, headers: Object.fromEntries(new Headers(headers)), agent: new Agent({ keepAlive: false }) }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject).on('end', () => {
        const told = Object.entries(response.headers).map(([name, value]): [string, string] => [name, String(value)])
        resolve({ status: response.statusCode ?? 0, headers: new Headers(told), bytes: Buffer.concat(chunks) })
      })
    })
    sent.on('error', reject)
    sent.end(body)
    return promise
  }
}

describe('two processes with a cache in front of a Kubo', { timeout: 300_000 }, () => {
  let scene: Scene
  let kubo: Kubo
  let cache: CachePlace
  let server: DiscoServer
  let client: TurningClient

  before(async () => {
    scene = await Scene.begin()
    kubo = await scene.kubo()
    cache = await CachePlace.directory(scene)
    await start()
  })
  after(() => scene.end())

  async function start(): Promise<void> {
    server = await scene.disco('data', { kubos: [kubo], args: ['--processes', '2', '--noclone'], env: { ...cache.env, REGISTRY_STORAGE_DELETE_ENABLED: 'true' } })
    client = new TurningClient(server.url)
  }

  async function pushed(seed: string, tag = 'latest'): Promise<PushAttempt> {
    const attempt = pushAttempt(`turns/${seed}`, tag, randomImage(`turns ${seed}`))
    await push(client, attempt)
    return attempt
  }

  async function notes(): Promise<string[]> {
    const store = StoreReader.open(server.data)
    try {
      return (await store?.list('disco/tier')) ?? []
    } finally {
      store?.close()
    }
  }
  const settled = (): Promise<void> => until(async () => (await notes()).length === 0, { what: 'nothing is owed' })

  it('go on with an upload that the other has begun, and both have the image', async () => {
    const { cid = '', image } = await pushed('upload')
    await assertGlobal(client, image.digest, cid)
    await cache.assertHas(await sharedPaths(client, cid, image.digest))
    await settled()
  })

  it('fill the cache when many pull at once', async () => {
    const { cid = '', image } = await pushed('fill')
    const paths = await sharedPaths(client, cid, image.digest)
    await cache.assertHas(paths)
    await settled()
    await cache.purge()
    await Promise.all(Array.from({ length: PULLS }, () => assertGlobal(client, image.digest, cid)))
    await cache.assertHas(paths)
    await settled()
    await cache.assertRight()
    const leftOver = [...(await filesBelow(cache.files)).keys()].filter((path) => path.includes('_uploads') || (!path.startsWith('docker/') && !/^\.disco\/(?:commit\.lock|reserve)$/.test(path)))
    assert.deepEqual(leftOver, [])
    assert.equal(new Set(server.log().match(/"pid":\d+,"name":"http"/g)).size, 2, 'both were asked')
  })

  it('bring nothing back that was deleted', async () => {
    const kept = await pushed('kept', 'v1')
    const images = await Promise.all(Array.from({ length: 8 }, (_, number) => pushed(`deleted-${number}`, 'v1')))
    const pulls = images.map(async ({ name, image }) => {
      for (let i = 0; i < 3; i++) await assertComplete(client, name, image.digest, image.digest).catch(() => {})
    })
    // Right behind the push, while the cache is still being told of it.
    await Promise.all(images.map(async ({ name, image, tag }, number) => {
      const answer = await client.request('DELETE', `/v2/${name}/manifests/${number % 2 === 0 ? tag : image.digest}`)
      assert.equal(answer.status, 202, answer.bytes.toString())
    }))
    const assertGone = async (): Promise<void> => {
      for (const [number, { name, tag, image }] of images.entries()) {
        for (let i = 0; i < 4; i++) {
          assert.equal(await answers(client, name, tag), false, `${name}:${tag}`)
          if (number % 2 === 1) assert.equal(await answers(client, name, image.digest), false, `${name}@${image.digest}`)
        }
      }
    }
    await assertGone()
    await Promise.all(pulls)
    await assertGone()
    await server.kill()
    await start()
    await assertGone()
    await settled()
    await sleep(500)
    await assertGone()
    assert.equal(await answers(client, kept.name, 'v1'), true)
    for (const { name } of images) assert.equal(await cache.has(`repositories/${name}/_manifests/tags/v1/current/link`), false, `${name} in the cache`)
  })
})
