import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { push, pushAttempt } from '../../crash/push-attempt.ts'
import { randomImage } from '../../crash/random-image.ts'
import { CachePlace } from '../harness/cache-place.ts'
import type { DiscoServer } from '../harness/disco.ts'
import { RegistryClient } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'
import { assertComplete } from '../harness/verify.ts'

describe('names in a cache in front of a Kubo', { timeout: 120_000 }, () => {
  it('are there again after it was emptied, and come back from it, but for tags that were deleted', async () => {
    const scene = await Scene.begin()
    try {
      const kubo = await scene.kubo()
      const cache = await CachePlace.directory(scene)
      const start = (): Promise<DiscoServer> => scene.disco('data', { kubos: [kubo], args: ['--noclone'], env: { ...cache.env, REGISTRY_STORAGE_DELETE_ENABLED: 'true' } })
      const tags = ['v1', 'v2', 'gone'].map((tag) => ({ tag, attempt: pushAttempt('names/kept', tag, randomImage(`cache names ${tag}`, 200_000)) }))
      const kept = tags.filter(({ tag }) => tag !== 'gone')
      const paths = kept.map(({ tag }) => `repositories/names/kept/_manifests/tags/${tag}/current/link`)

      let server = await start()
      for (const { attempt } of tags) await push(new RegistryClient(server.url), attempt)
      await cache.assertHas(paths)
      await cache.purge()
      assert.equal((await new RegistryClient(server.url).request('DELETE', '/v2/names/kept/manifests/gone')).status, 202)
      await server.stop()

      server = await start()
      await cache.assertHas(paths, 20_000)
      // What their manifests are is copied by who pulls.
      for (const { tag, attempt } of kept) await assertComplete(new RegistryClient(server.url), 'names/kept', tag, attempt.image.digest)
      await server.stop()

      await kubo.ipfs('files', 'rm', '-r', '--force', '/docker/registry/v2/repositories/names')
      server = await start()
      const client = new RegistryClient(server.url)
      for (let i = 0; i < 100 && (await client.tags('names/kept')) === undefined; i++) await sleep(100)
      assert.deepEqual(await client.tags('names/kept'), ['v1', 'v2'])
      for (const { tag, attempt } of kept) await assertComplete(client, 'names/kept', tag, attempt.image.digest)
      await server.stop()
    } finally {
      await scene.end()
    }
  })
})
