import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { CopySession } from './clients/client.ts'
import { copyClients } from './harness/clients.ts'
import { run } from './harness/command.ts'
import type { DiscoServer } from './harness/disco.ts'
import { startDistribution, type DistributionProgram, type DistributionServer } from './harness/distribution.ts'
import { incompressible, smallImage } from './harness/images.ts'
import { RegistryClient, digestOf, expectStatus, hexOf } from './harness/registry-client.ts'
import { Scene } from './harness/scene.ts'
import { until } from './harness/until.ts'
import { assertComplete, assertGlobal, cidByTags } from './harness/verify.ts'

const INDEX = { architectures: ['amd64', 'arm64'], layers: [2_500_000, 3000] }

for (const program of ['docker-registry', 'registry'] as const satisfies readonly DistributionProgram[]) {
  describe(`a directory that Disco and Distribution's ${program} share`, { timeout: 300_000 }, () => {
    let scene: Scene
    let disco: DiscoServer
    let distribution: DistributionServer
    let ours: RegistryClient
    let theirs: RegistryClient
    let root: string
    let skopeo: CopySession
    const startDisco = (): Promise<DiscoServer> => scene.disco('data', { env: { REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: root } })

    before(async () => {
      scene = await Scene.begin()
      skopeo = (await copyClients(scene)).skopeo
      root = await scene.folder('tree')
      disco = await startDisco()
      distribution = await startDistribution(scene, program, root)
      ours = new RegistryClient(disco.url)
      theirs = new RegistryClient(distribution.url)
    })

    after(() => scene.end())

    it('has what Disco was given for both, under the name and globally', async () => {
      const layout = join(scene.directory, 'ours')
      const digest = await smallImage(layout, { seed: `ours ${program}`, ...INDEX })
      await skopeo.push({ layout, tag: 'small' }, `${disco.host}/team/sub/app:v1`)
      const cid = await cidByTags(ours, digest)
      for (const client of [ours, theirs]) {
        await assertComplete(client, 'team/sub/app', 'v1', digest)
        await assertComplete(client, 'team/sub/app', digest, digest)
        await assertGlobal(client, digest, cid)
        assert.deepEqual(await client.tags('team/sub/app'), ['v1'])
        assert.deepEqual((await client.tags(hexOf(digest)))?.sort(), [cid, 'latest'])
      }
    })

    it('loses a name for both once `latest` is global', async () => {
      const layout = join(scene.directory, 'latest')
      const digest = await smallImage(layout, { seed: `latest ${program}` })
      await skopeo.push({ layout, tag: 'small' }, `${disco.host}/gone/app:latest`)
      const cid = await cidByTags(ours, digest)
      for (const client of [ours, theirs]) {
        assert.equal((await client.manifest('gone/app', 'latest')).status, 404)
        await assertGlobal(client, digest, cid)
      }
    })

    it('has what Distribution was given for both, and it becomes global when it is pushed again', async () => {
      const layout = join(scene.directory, 'theirs')
      const digest = await smallImage(layout, { seed: `theirs ${program}`, ...INDEX })
      await skopeo.push({ layout, tag: 'small' }, `${distribution.host}/other/sub/app:v1`)
      for (const client of [ours, theirs]) {
        await assertComplete(client, 'other/sub/app', 'v1', digest)
        assert.deepEqual(await client.tags('other/sub/app'), ['v1'])
      }
      assert.equal(await ours.tags(hexOf(digest)), undefined)
      await skopeo.push({ layout, tag: 'small' }, `${disco.host}/other/sub/app:v1`)
      const cid = await cidByTags(ours, digest)
      for (const client of [ours, theirs]) await assertGlobal(client, digest, cid)
    })

    it('lists the names of each in the catalogue of both', async () => {
      const names = async (client: RegistryClient): Promise<string[]> => {
        const answer = expectStatus(await client.request('GET', '/v2/_catalog?n=1000'), 200)
        return (JSON.parse(answer.bytes.toString()) as { repositories: string[] }).repositories
      }
      for (const client of [ours, theirs]) {
        const found = await names(client)
        for (const name of ['team/sub/app', 'other/sub/app']) assert.ok(found.includes(name), `${client.url} lists ${name}`)
      }
    })

    it('keeps an upload of Disco\'s while Distribution works, and one of Distribution\'s while Disco does', async () => {
      const content = incompressible(`upload ${program}`, 3_000_000)
      const half = content.subarray(0, 1_500_000)
      const own = await ours.patchUpload(await ours.startUpload('uploads/of-disco'), half)
      const other = await theirs.patchUpload(await theirs.startUpload('uploads/of-distribution'), half)

      for (const [layout, host] of [['one', distribution.host], ['two', disco.host]] as const) {
        const directory = join(scene.directory, layout)
        await smallImage(directory, { seed: `${layout} ${program}` })
        for (const name of ['of-disco', 'of-distribution']) await skopeo.push({ layout: directory, tag: 'small' }, `${host}/uploads/${name}:latest`)
      }
      await disco.stop()
      disco = await startDisco()
      ours = new RegistryClient(disco.url)
      assert.equal((await ours.upload(new URL(own.location, disco.url).pathname))?.size, half.length)

      const digest = digestOf(content)
      await ours.finishUpload({ ...own, location: new URL(own.location, disco.url).pathname }, digest, content.subarray(half.length))
      await theirs.finishUpload(other, digest, content.subarray(half.length))
      for (const client of [ours, theirs]) {
        for (const name of ['uploads/of-disco', 'uploads/of-distribution']) {
          const answer = expectStatus(await client.blob(name, digest), 200)
          assert.equal(digestOf(answer.bytes), digest)
        }
      }
    })

    it('gives a Disco with a new data directory all images, blocks included', async () => {
      const layout = join(scene.directory, 'ours')
      const digest = await smallImage(layout, { seed: `ours ${program}`, ...INDEX })
      const cid = await cidByTags(ours, digest)
      const fresh = await scene.disco('fresh data', { env: { REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: root } })
      const client = new RegistryClient(fresh.url)
      await assertGlobal(client, digest, cid)
      const indexed = async (): Promise<boolean> => (await client.request('GET', `/ipfs/${cid}?format=raw`)).status === 200
      await until(indexed, { what: 'the blocks are indexed' })
      const third = await scene.disco('third', { peers: [fresh.url] })
      await assertComplete(new RegistryClient(third.url), cid, 'latest', digest)
    })

    it('outlives Distribution\'s collection of garbage', async () => {
      const content = incompressible(`collected ${program}`, 2_000_000)
      await distribution.stop()
      const digest = digestOf(content)
      await ours.finishUpload(await ours.startUpload('collected'), digest, content)
      await run(program, ['garbage-collect', distribution.config], { env: { OTEL_TRACES_EXPORTER: 'none' } })
      for (const name of ['team/sub/app', 'other/sub/app']) {
        const { headers } = expectStatus(await ours.manifest(name, 'v1'), 200)
        const image = headers.get('docker-content-digest') ?? ''
        await assertComplete(ours, name, 'v1', image)
        await assertGlobal(ours, image, await cidByTags(ours, image))
      }
      assert.equal((await ours.blob('collected', digest)).status, 404)
    })
  })
}
