import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { push, pushAttempt } from '../../crash/push-attempt.ts'
import { randomImage } from '../../crash/random-image.ts'
import type { CopySession } from '../clients/client.ts'
import { Azurite } from '../harness/azurite.ts'
import { copyClients, type Copier } from '../harness/clients.ts'
import type { DiscoServer } from '../harness/disco.ts'
import { FakeGcs } from '../harness/gcs.ts'
import { smallImage } from '../harness/images.ts'
import { WITH_PACKAGES } from '../harness/packages.ts'
import { pushImage } from '../harness/push-image.ts'
import { digestOf, RegistryClient } from '../harness/registry-client.ts'
import { RoundRobin } from '../harness/round-robin.ts'
import { Scene } from '../harness/scene.ts'
import { until } from '../harness/until.ts'
import { assertClonable, assertComplete, assertGlobal, cidByTags } from '../harness/verify.ts'

const INDEX = { architectures: ['amd64', 'arm64'], layers: [6_500_000, 3000] }
type Env = Readonly<Record<string, string>>

interface Cloud {
  readonly name: string
  readonly package: string
  /** Whether URLs that are signed for GET are good for HEAD. */
  readonly heads: boolean
  start(scene: Scene): Promise<{ newBucket(): Promise<Env>; readonly missing: Env; readonly secret: string }>
}

const CLOUDS: readonly Cloud[] = [
  {
    name: 'azure',
    package: '@azure/storage-blob',
    heads: true,
    start: async (scene) => {
      const server = await Azurite.start()
      scene.atEnd(() => server.remove())
      const env = (options: object): Env => variables('AZURE', options)
      return { newBucket: async () => env(await server.container()), missing: env(server.options('missing')), secret: server.options('x').accountKey }
    },
  },
  {
    name: 'gcs',
    package: '@google-cloud/storage',
    heads: false,
    start: async (scene) => {
      const server = await FakeGcs.start()
      scene.atEnd(() => server.remove())
      const env = ({ credentials, ...options }: { readonly credentials?: object | undefined }): Env => ({ ...variables('GCS', options), REGISTRY_STORAGE_GCS_CREDENTIALS: JSON.stringify(credentials) })
      return { newBucket: async () => env(await server.bucket()), missing: env(server.options('missing')), secret: server.credentials['private_key']?.split('\n')[1] ?? '' }
    },
  },
]

function variables(driver: string, options: object): Env {
  return Object.fromEntries(Object.entries(options).map(([key, value]) => [`REGISTRY_STORAGE_${driver}_${key.toUpperCase()}`, String(value)]))
}

for (const cloud of CLOUDS) {
  describe(`a Disco on a bucket of ${cloud.name}`, { timeout: 300_000 }, () => {
    let scene: Scene
    let server: Awaited<ReturnType<Cloud['start']>>
    let clients: Readonly<Record<Copier, CopySession>>

    before(async () => {
      scene = await Scene.begin()
      server = await cloud.start(scene)
      clients = await copyClients(scene)
    })
    after(() => scene.end())

    const client = ({ url }: DiscoServer): RegistryClient => new RegistryClient(url)
    const disco = (name: string, bucket: Env, { redirect = false, peers = [] }: { readonly redirect?: boolean; readonly peers?: readonly string[] } = {}): Promise<DiscoServer> =>
      scene.disco(name, { peers, env: { ...WITH_PACKAGES, ...bucket, REGISTRY_STORAGE_REDIRECT_DISABLE: String(!redirect), REGISTRY_STORAGE_DELETE_ENABLED: 'true' } })

    it('gives an image the CID that it has everywhere, and has it after a restart with nothing but the bucket', async () => {
      const bucket = await server.newBucket()
      const [there, embedded] = await Promise.all([disco('clients', bucket), scene.disco('embedded')])
      const layout = join(scene.directory, 'layout')
      const digest = await smallImage(layout, { seed: cloud.name, ...INDEX })
      for (const to of [there, embedded]) await clients.skopeo.push({ layout, tag: 'small' }, `${to.host}/team/app:latest`)
      const cid = await cidByTags(client(embedded), digest)
      await assertGlobal(client(there), digest, cid)
      for (const puller of ['crane', 'skopeo'] as const) await clients[puller].pull(`${there.host}/${cid}:latest`, digest)
      await clients.crane.copy(`${there.host}/${cid}:latest`, `${there.host}/copied/app:v1`)
      await assertComplete(client(there), 'copied/app', 'v1', digest)
      await there.kill()
      const again = await disco('empty', bucket)
      await assertGlobal(client(again), digest, cid)
      await assertComplete(client(again), 'copied/app', 'v1', digest)
      await until(async () => (await fetch(`${again.url}/ipfs/${cid}?format=raw`)).ok, { what: 'the index has the image again' })
      const taker = await disco('taker', await server.newBucket(), { peers: [again.multiaddr()] })
      await assertClonable(client(taker), digest, cid)
    })

    it('sends clients to the bucket for blobs', async () => {
      const there = await disco('redirecting', await server.newBucket(), { redirect: true })
      const layout = join(scene.directory, 'layout of the redirected')
      const digest = await smallImage(layout, { seed: `redirect ${cloud.name}`, ...INDEX })
      for (const each of ['skopeo', 'crane', 'regctl'] as const) {
        await clients[each].push({ layout, tag: 'small' }, `${there.host}/by/${each}:v1`)
        await clients[each].pull(`${there.host}/by/${each}:v1`, digest)
      }
      const image = await pushImage(client(there), 'made/here', { seed: 'redirected', sizes: [2_500_000] })
      const path = `/v2/${image.cid}/blobs/${image.blobs[1] ?? ''}`
      assert.equal((await client(there).request('GET', path)).status, 307)
      assert.equal((await client(there).request('HEAD', path)).status, cloud.heads ? 307 : 200)
      const followed = await fetch(`${there.url}${path}`, { headers: { range: 'bytes=1-3' } })
      assert.deepEqual([followed.status, followed.headers.get('content-range')], [206, 'bytes 1-3/2500000'])
      assert.doesNotMatch(there.log(), /[?&](?:sig|X-Goog-Signature)=/)
    })

    it('shares it with another: uploads go on there, and tags that both move are what both say', async () => {
      const bucket = await server.newBucket()
      const discos = await Promise.all(['one', 'two'].map((name) => disco(name, bucket)))
      const proxy = await RoundRobin.start(discos.map(({ host }) => host))
      scene.atEnd(() => proxy.stop())
      const all = new RegistryClient(proxy.url)
      const images = [0, 1, 2].map((number) => randomImage(`moving ${cloud.name} ${number}`))
      await Promise.all(images.map((image, number) => push(all, pushAttempt(`chunks/r${number}`, 'v1', image))))
      for (const image of images) await push(all, pushAttempt('moving/app', 'seen', image))
      for (let round = 0; round < 5; round++) {
        const answers = await Promise.all(images.map((image) => all.putManifest('moving/app', 'v1', image.manifest)))
        assert.deepEqual(answers.map(({ status }) => status), [201, 201, 201])
        const told = await Promise.all(discos.map(async (each) => digestOf((await client(each).manifest('moving/app', 'v1')).bytes)))
        assert.equal(new Set(told).size, 1, told.join(' '))
        assert.ok(images.some(({ digest }) => digest === told[0]))
      }
      const tags = Array.from({ length: 8 }, (_, number) => `t${number}`)
      const put = await Promise.all(tags.map((tag) => all.putManifest('moving/app', tag, images[0]?.manifest ?? assert.fail())))
      assert.ok(put.every(({ status }) => status === 201))
      for (const each of discos) assert.deepEqual(await client(each).tags('moving/app'), ['seen', ...tags, 'v1'])
    })

    it('is a cache in front of an IPFS node, which it fills', async () => {
      const bucket = await server.newBucket()
      const cached = Object.fromEntries(Object.entries(bucket).map(([key, value]) => [key.replace('STORAGE_', 'STORAGE_IPFS_CACHE_'), value]))
      const there = await scene.disco('cached', { env: { ...WITH_PACKAGES, ...cached } })
      const { cid, digest } = await pushImage(client(there), 'made/here', { seed: `cached ${cloud.name}`, sizes: [2_500_000] })
      await assertGlobal(client(there), digest, cid)
      const plain = await disco('of the cache', bucket)
      await until(() => assertGlobal(client(plain), digest, cid).then(() => true), { what: 'the cache has it' })
    })

    it('says at its start what is wrong, or not installed, in one line and without a secret', async () => {
      const said = async (env: Env): Promise<string> => scene.disco('wrong', { env }).then(() => 'it starts', (error: Error) => error.message)
      const missing = await said({ ...WITH_PACKAGES, ...server.missing })
      assert.match(missing, /cannot use the (?:bucket|container) missing .*; make it first/)
      const bare = await said({ ...(await server.newBucket()), NODE_PATH: '' })
      assert.match(bare, new RegExp(`storage.${cloud.name}: needs ${cloud.package}: npm install ${cloud.package}`))
      const cached = Object.fromEntries(Object.entries(await server.newBucket()).map(([key, value]) => [key.replace('STORAGE_', 'STORAGE_IPFS_CACHE_'), value]))
      const cache = await said({ ...cached, NODE_PATH: '' })
      assert.match(cache, new RegExp(`needs ${cloud.package}: npm install ${cloud.package}`))
      for (const text of [missing, bare, cache]) {
        assert.doesNotMatch(text, /\n +at /)
        assert.ok(!text.includes(server.secret))
      }
    })
  })
}
