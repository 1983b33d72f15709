import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { push, pushAttempt, type PushAttempt } from '../../crash/push-attempt.ts'
import { randomImage } from '../../crash/random-image.ts'
import { CachePlace, sharedPaths } from '../harness/cache-place.ts'
import { contentOf } from '../harness/data-directory.ts'
import { filesBelow, filesInMfs } from '../harness/directory-files.ts'
import type { DiscoServer } from '../harness/disco.ts'
import type { Kubo } from '../harness/kubo.ts'
import { digestOf, RegistryClient } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'
import { assertGlobal } from '../harness/verify.ts'

const READONLY = { REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED: 'true' }

for (const [what, cacheOf] of [['a directory', CachePlace.directory], ['a bucket', CachePlace.bucket]] as const) describe(`a read-only server with a cache in front of a Kubo: ${what}`, { timeout: 300_000 }, () => {
  let scene: Scene
  let kubo: Kubo
  let cache: CachePlace

  before(async () => {
    scene = await Scene.begin()
    kubo = await scene.kubo()
    cache = await cacheOf(scene)
  })
  after(() => scene.end())

  const start = (env: Readonly<Record<string, string>> = {}): Promise<DiscoServer> => scene.disco('data', { kubos: [kubo], env: { ...cache.env, ...env } })

  let looks = 0
  /** All that is stored anywhere, of a server that is stopped. */
  async function everything(): Promise<Record<string, unknown>> {
    const told = (files: ReadonlyMap<string, Buffer>): Record<string, string> => Object.fromEntries([...files].map(([path, bytes]) => [path, digestOf(bytes)]))
    return {
      cache: told(await filesBelow(cache.files)),
      mfs: told(await filesInMfs(kubo, '/', join(scene.directory, `mfs-${looks++}`))),
      pins: (await kubo.ipfs('pin', 'ls', '-t', 'recursive', '-q')).split('\n').toSorted(),
      data: await contentOf(join(scene.directory, 'data')),
    }
  }

  it('serves from either, fills nothing, takes nothing', async () => {
    let server = await start()
    let client = new RegistryClient(server.url)
    const images: PushAttempt[] = []
    for (const number of [0, 1, 2]) {
      const attempt = pushAttempt(`readonly/${number}`, 'v1', randomImage(`readonly ${number}`))
      await push(client, attempt)
      images.push(attempt)
    }
    const paths = await Promise.all(images.map(({ cid = '', image }) => sharedPaths(client, cid, image.digest)))
    await cache.assertHas(paths.flat())
    await sleep(1000)
    await server.stop()
    // The second is in IPFS alone, of the third the cache lacks some.
    for (const path of [...(paths[1] ?? []), ...(paths[2] ?? []).slice(1, -1)]) await cache.purge(path)
    // The first one is in the cache alone.
    for (const path of paths[0] ?? []) await kubo.ipfs('files', 'rm', '-r', `/docker/registry/v2/${path}`)
    const before = await everything()

    server = await start(READONLY)
    client = new RegistryClient(server.url)
    for (const { cid = '', image, name, tag } of images) {
      await assertGlobal(client, image.digest, cid)
      assert.equal((await client.manifest(name, tag)).status, 200)
    }
    assert.equal((await client.request('POST', '/v2/readonly/new/blobs/uploads/')).status, 405)
    assert.equal((await client.putManifest('readonly/new', 'latest', images[0]?.image.manifest ?? assert.fail())).status, 405)
    assert.equal((await client.request('DELETE', '/v2/readonly/0/manifests/v1')).status, 405)
    await sleep(3000)
    await server.stop()
    assert.deepEqual(await everything(), before)
  })
})
