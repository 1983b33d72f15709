import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { push, pushAttempt } from '../../crash/push-attempt.ts'
import { randomImage } from '../../crash/random-image.ts'
import { onBucket } from '../harness/bucket-flags.ts'
import { copyClients, type Copier } from '../harness/clients.ts'
import type { CopySession } from '../clients/client.ts'
import type { DiscoServer } from '../harness/disco.ts'
import { smallImage } from '../harness/images.ts'
import { pushImage } from '../harness/push-image.ts'
import { digestOf, RegistryClient } from '../harness/registry-client.ts'
import { RoundRobin } from '../harness/round-robin.ts'
import { S3Server } from '../harness/s3.ts'
import { Scene } from '../harness/scene.ts'
import { until } from '../harness/until.ts'
import { assertClonable, assertComplete, assertGlobal, cidByTags } from '../harness/verify.ts'

const INDEX = { architectures: ['amd64', 'arm64'], layers: [6_500_000, 3000] }

/** Nothing that one of them keeps in memory is what the other has: each request goes to the other one. */
describe('two Discos on one bucket behind a round robin', { timeout: 300_000 }, () => {
  let scene: Scene
  let clients: Readonly<Record<Copier, CopySession>>
  let discos: readonly DiscoServer[]
  let proxy: RoundRobin
  let all: RegistryClient
  let each: readonly RegistryClient[]
  let origin: DiscoServer

  before(async () => {
    scene = await Scene.begin()
    const server = await S3Server.start()
    scene.atEnd(() => server.remove())
    clients = await copyClients(scene)
    origin = await scene.disco('origin')
    const env = { ...onBucket(await server.bucket()), REGISTRY_STORAGE_DELETE_ENABLED: 'true' }
    discos = await Promise.all(['one', 'two'].map((name) => scene.disco(name, { env, peers: [origin.url] })))
    proxy = await RoundRobin.start(discos.map(({ host }) => host))
    scene.atEnd(() => proxy.stop())
    all = new RegistryClient(proxy.url)
    each = discos.map(({ url }) => new RegistryClient(url))
  })
  after(() => scene.end())

  it('take the pushes of clients, whose requests land on both, and give what either took', async () => {
    for (const [index, pusher] of (['skopeo', 'oras', 'regctl'] as const).entries()) {
      const layout = join(scene.directory, `layout for ${pusher}`)
      const digest = await smallImage(layout, { seed: `replicas ${index}`, ...INDEX })
      await clients[pusher].push({ layout, tag: 'small' }, `${proxy.host}/team/app:latest`)
      const cid = await cidByTags(all, digest)
      for (const client of each) await assertGlobal(client, digest, cid)
      for (const puller of ['crane', 'skopeo'] as const) await clients[puller].pull(`${proxy.host}/${cid}:latest`, digest)
      await clients.crane.copy(`${proxy.host}/${cid}:latest`, `${proxy.host}/copied/app:v${index}`)
    }
    assert.deepEqual(await all.tags('copied/app'), ['v0', 'v1', 'v2'])
    const [first = 0, second = 0] = proxy.counts
    assert.ok(Math.abs(first - second) <= 1 && first > 20, `${first} and ${second} requests`)
  })

  it('go on with each other\'s uploads, chunk by chunk, several at once', async () => {
    const attempts = [0, 1, 2].map((number) => pushAttempt(`chunks/r${number}`, 'v1', randomImage(`chunks ${number}`)))
    await Promise.all(attempts.map((attempt) => push(all, attempt)))
    for (const { name, image, cid = '' } of attempts) {
      for (const client of each) {
        await assertComplete(client, name, 'v1', image.digest)
        await assertGlobal(client, image.digest, cid)
      }
    }
  })

  it('move a tag that both are asked to move, to one of what was asked, and say the same of it', async () => {
    const images = [0, 1, 2, 3].map((number) => randomImage(`moving ${number}`))
    for (const image of images) await push(all, pushAttempt('moving/app', 'seen', image))
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(images.map((image) => all.putManifest('moving/app', 'v1', image.manifest)))
      assert.deepEqual(answers.map(({ status }) => status), [201, 201, 201, 201])
      const told = await Promise.all([...each, ...each].map(async (client) => digestOf((await client.manifest('moving/app', 'v1')).bytes)))
      assert.equal(new Set(told).size, 1, told.join(' '))
      assert.ok(images.some(({ digest }) => digest === told[0]))
    }
    assert.deepEqual(await all.tags('moving/app'), ['seen', 'v1'])
  })

  it('keep no tag that was pushed beside others, and lose none that stays', async () => {
    const image = randomImage('many tags')
    await push(all, pushAttempt('tags/app', 'first', image))
    const tags = Array.from({ length: 12 }, (_, number) => `t${String(number).padStart(2, '0')}`)
    const put = await Promise.all(tags.map((tag) => all.putManifest('tags/app', tag, image.manifest)))
    assert.ok(put.every(({ status }) => status === 201))
    const [gone, kept] = [tags.filter((_, index) => index % 2 === 0), tags.filter((_, index) => index % 2 === 1)]
    const deleted = await Promise.all(gone.map((tag) => all.request('DELETE', `/v2/tags/app/manifests/${tag}`)))
    assert.ok(deleted.every(({ status }) => status === 202))
    for (const client of each) {
      assert.deepEqual(await client.tags('tags/app'), ['first', ...kept])
      for (const tag of gone) assert.equal((await client.manifest('tags/app', tag)).status, 404)
    }
    assert.equal((await all.request('DELETE', `/v2/tags/app/manifests/${image.digest}`)).status, 202)
    for (const client of each) assert.equal((await client.manifest('tags/app', 'first')).status, 404)
  })

  it('clone what both are asked for at once', async () => {
    const { cid, digest } = await pushImage(new RegistryClient(origin.url), 'there/app', { seed: 'cloned by both', sizes: [6_500_000, 1000] })
    await Promise.all([...each, all, all].map((client) => assertClonable(client, digest, cid)))
    await Promise.all(each.map((client) => assertGlobal(client, digest, cid)))
  })

  it('give peers what the other one took', async () => {
    const [one, two] = discos
    const { cid, digest } = await pushImage(each[0] ?? assert.fail(), 'by/one', { seed: 'for peers of two', sizes: [2_500_000, 1000] })
    assert.ok(one !== undefined && two !== undefined)
    await until(async () => (await fetch(`${two.url}/ipfs/${cid}?format=raw`)).ok, { what: 'indexed', every: 200 })
    const taker = await scene.disco('taker', { peers: [two.multiaddr()] })
    await assertClonable(new RegistryClient(taker.url), digest, cid)
  })
})
