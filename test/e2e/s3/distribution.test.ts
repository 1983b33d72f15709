import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { bucketPlaces as places } from '../../../src/registry/paths.ts'
import { S3Bucket } from '../../../src/storage/bucket/s3/bucket.ts'
import type { S3Options } from '../../../src/storage/bucket/s3/options.ts'
import { BucketStore } from '../../../src/storage/bucket/store.ts'
import { run } from '../harness/command.ts'
import { startDistribution, type DistributionServer } from '../harness/distribution.ts'
import { incompressible } from '../harness/images.ts'
import { pushImage } from '../harness/push-image.ts'
import { RegistryClient, digestOf } from '../harness/registry-client.ts'
import { startRegistryFace, type RegistryFace } from '../harness/registry-face.ts'
import { S3Server } from '../harness/s3.ts'
import { Scene } from '../harness/scene.ts'

/** Layers of one piece, of several, and of some with a small one at the end. */
const SIZES = [3000, 12_000_000, 21_500_000]

let scene: Scene
let server: S3Server
before(async () => {
  scene = await Scene.begin()
  server = await S3Server.start()
  scene.atEnd(() => server.remove())
})
after(() => scene.end())

for (const rootDirectory of [undefined, '/registries/one']) {
  describe(`a bucket of Distribution's and ours, ${rootDirectory === undefined ? 'all of it' : 'a directory in it'}`, { timeout: 240_000 }, () => {
    let options: S3Options
    let store: BucketStore
    let ours: RegistryFace
    let theirs: DistributionServer
    before(async () => {
      options = { ...(await server.bucket()), rootDirectory }
      store = await BucketStore.open(S3Bucket.of(options), { places })
      ours = await startRegistryFace(store)
      theirs = await startDistribution(scene, 'registry', server.distribution(options))
    })
    after(async () => {
      await ours.stop()
      await store.close()
    })

    it('serves what the other was pushed, both ways, at once', async () => {
      for (const [from, to, name] of [[ours, theirs, 'team/ours'], [theirs, ours, 'team/theirs']] as const) {
        const { digest, blobs } = await pushImage(new RegistryClient(from.url), name, { seed: name, sizes: SIZES })
        const client = new RegistryClient(to.url)
        const manifest = await client.manifest(name, 'latest')
        assert.equal(manifest.status, 200)
        assert.equal(digestOf(manifest.bytes), digest)
        for (const blob of blobs) assert.equal(digestOf((await client.blob(name, blob)).bytes), blob)
        assert.deepEqual(await client.tags(name), ['latest'])
        const range = await client.request('GET', `/v2/${name}/blobs/${blobs[2]}`, { headers: { range: 'bytes=5000000-5000099' } })
        assert.equal(range.bytes.length, 100)
      }
      for (const { url } of [ours, theirs]) {
        const catalog = JSON.parse((await new RegistryClient(url).request('GET', '/v2/_catalog')).bytes.toString()) as { repositories: string[] }
        assert.deepEqual(catalog.repositories, ['team/ours', 'team/theirs'])
      }
    })

    it('goes from one to the other with a client that knows neither', async () => {
      await run('crane', ['copy', '--insecure', `${theirs.host}/team/theirs:latest`, `${ours.host}/copied/here:1.0`])
      await run('crane', ['copy', '--insecure', `${theirs.host}/copied/here:1.0`, `${ours.host}/copied/back:1.0`])
      const digests = await Promise.all([`${theirs.host}/team/theirs:latest`, `${ours.host}/copied/back:1.0`].map((name) => run('crane', ['digest', '--insecure', name])))
      assert.equal(digests[0], digests[1])
      await run('crane', ['tag', '--insecure', `${theirs.host}/copied/here:1.0`, '1.0-rc1'])
      assert.deepEqual(await new RegistryClient(ours.url).tags('copied/here'), ['1.0', '1.0-rc1'])
    })

    it('sees no uploads of the other, and lets them come to their end', async () => {
      const data = incompressible('under way', 6_000_000)
      const [mine, other] = [new RegistryClient(ours.url), new RegistryClient(theirs.url)]
      const states = await Promise.all([mine, other].map(async (client) => client.patchUpload(await client.startUpload('under/way'), data.subarray(0, 3_000_000))))
      const catalog = JSON.parse((await mine.request('GET', '/v2/_catalog')).bytes.toString()) as { repositories: string[] }
      assert.ok(!catalog.repositories.includes('under/way'))
      assert.deepEqual(await store.list('docker/registry/v2/repositories/under/way'), [])
      for (const [index, client] of [mine, other].entries()) await client.finishUpload(states[index] ?? assert.fail(), digestOf(data), data.subarray(3_000_000))
      for (const client of [mine, other]) assert.equal(digestOf((await client.blob('under/way', digestOf(data))).bytes), digestOf(data))
    })

    it('has no link and no blob of a name that the other deleted a manifest of', async () => {
      const { digest } = await pushImage(new RegistryClient(ours.url), 'deleted', { seed: 'deleted', sizes: [1000] })
      assert.equal((await new RegistryClient(theirs.url).request('DELETE', `/v2/deleted/manifests/${digest}`)).status, 202)
      assert.equal((await new RegistryClient(ours.url).manifest('deleted', 'latest')).status, 404)
    })
  })
}
