import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { CopySession } from './clients/client.ts'
import { PUSHERS, copyClients, type Copier } from './harness/clients.ts'
import { contentOf, diskUse } from './harness/data-directory.ts'
import { incompressible, smallImage } from './harness/images.ts'
import { RegistryClient, digestOf, expectStatus } from './harness/registry-client.ts'
import { Scene } from './harness/scene.ts'
import { assertClonable, assertComplete, assertGlobal, cidByTags } from './harness/verify.ts'

const MIB = 1 << 20
const BOTH = ['amd64', 'arm64']
const UNKNOWN_CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'

describe('a server', { timeout: 300_000 }, () => {
  let scene: Scene
  let clients: Readonly<Record<Copier, CopySession>>

  before(async () => {
    scene = await Scene.begin()
    clients = await copyClients(scene)
  })

  after(() => scene.end())

  it('goes on with an upload that it began before a restart', async () => {
    const bytes = incompressible('resumed', 5 * MIB + 1)
    const digest = digestOf(bytes)
    let server = await scene.disco('resume')
    const begun = await new RegistryClient(server.url).startUpload('some/name')
    const state = await new RegistryClient(server.url).patchUpload(begun, bytes.subarray(0, 2 * MIB + 77))
    await server.stop()

    server = await scene.disco('resume', { port: server.port })
    const client = new RegistryClient(server.url)
    const found = await client.upload(state.location)
    assert.equal(found?.size, 2 * MIB + 77)
    const more = await client.patchUpload(found, bytes.subarray(found.size, 4 * MIB))
    await client.finishUpload(more, digest, bytes.subarray(more.size))
    assert.equal(digestOf((await client.blob('some/name', digest)).bytes), digest)
    await server.stop()
  })

  it('is one registry in two processes', async () => {
    const server = await scene.disco('processes', { args: ['--processes', '2'] })
    const client = new RegistryClient(server.url)
    const layout = join(scene.directory, 'processes-image')
    const digest = await smallImage(layout, { seed: 'processes', architectures: BOTH, layers: [3 * MIB, 100, 2 * MIB] })
    await Promise.all(
      PUSHERS.map((who) => clients[who].push({ layout, tag: 'small' }, `${server.host}/processes/${who}:v1`)),
    )
    const cid = await cidByTags(client, digest)
    await assertGlobal(client, digest, cid)
    for (const who of PUSHERS) await assertComplete(client, `processes/${who}`, 'v1', digest)

    // An upload in many small pieces, each on a connection of its own: whichever process gets it goes on.
    const bytes = incompressible('pieces', 40_000)
    let state = await client.startUpload('processes/pieces')
    const close = { connection: 'close', 'content-type': 'application/octet-stream' }
    for (let at = 0; at < bytes.length; at += 1000) {
      const chunk = bytes.subarray(at, at + 1000)
      const headers = { ...close, 'content-range': `${at}-${at + chunk.length - 1}` }
      const answer = expectStatus(await client.request('PATCH', state.location, { body: chunk, headers }), 202)
      state = { location: answer.headers.get('location') ?? assert.fail('no Location'), size: at + chunk.length }
    }
    await client.finishUpload(state, digestOf(bytes))

    const second = await scene.disco('processes-second', { args: ['--processes', '2'], peers: [server.multiaddr()] })
    await assertClonable(new RegistryClient(second.url), digest, cid)
    await second.stop()
    await server.stop()
  })

  for (const way of ['alone', 'gateway', 'bitswap'] as const) {
    it(`knows no CID that nobody has, says so in time, and keeps nothing of it (${way})`, async () => {
      const other = await scene.disco(`unknown-peer-${way}`)
      const peers = { alone: [], gateway: [other.url], bitswap: [other.multiaddr()] }[way]
      const name = `unknown-${way}`
      await (await scene.disco(name, { peers })).stop()
      const untouched = await contentOf(join(scene.directory, name))

      const server = await scene.disco(name, { peers, args: ['--clone-timeout', '2s'] })
      const start = performance.now()
      const answer = await new RegistryClient(server.url).manifest(UNKNOWN_CID, 'latest')
      const took = performance.now() - start
      assert.equal(answer.status, 404)
      assert.equal(JSON.parse(answer.bytes.toString()).errors[0].code, 'NAME_UNKNOWN')
      assert.ok(took < 4000, `answered after ${Math.round(took)} ms`)
      await server.stop()
      await other.stop()
      assert.deepEqual(await contentOf(join(scene.directory, name)), untouched)
    })
  }

  it('clones from a Disco that has cloned it, when the origin is gone', async () => {
    const layout = join(scene.directory, 'chain-image')
    const digest = await smallImage(layout, { seed: 'chain', architectures: BOTH, layers: [2 * MIB + 1, 10] })
    const origin = await scene.disco('chain-1')
    await clients.skopeo.push({ layout, tag: 'small' }, `${origin.host}/chain:latest`)
    const cid = await cidByTags(new RegistryClient(origin.url), digest)

    const second = await scene.disco('chain-2', { peers: [origin.multiaddr()] })
    await assertClonable(new RegistryClient(second.url), digest, cid)
    await origin.stop()

    for (const [way, peer] of [['gateway', second.url], ['bitswap', second.multiaddr()]] as const) {
      const third = await scene.disco(`chain-3-${way}`, { peers: [peer] })
      await assertClonable(new RegistryClient(third.url), digest, cid)
      await third.stop()
    }
    await second.stop()
  })

  it('keeps an image of N bytes in less than 1.01 N + 64 KiB a layer, pushed or cloned', async () => {
    const layout = join(scene.directory, 'disk-image')
    const layers = [100, 70_000, 12 * MIB + 5, 25 * MIB]
    const digest = await smallImage(layout, { seed: 'disk', layers })
    const size = sum(Object.values(await contentOf(join(layout, 'blobs'))))
    const allowed = 1.01 * size + layers.length * 64 * 1024

    const empty = await scene.disco('disk')
    await empty.stop()
    const bare = await diskUse(empty.data)
    const server = await scene.disco('disk')
    await clients.skopeo.push({ layout, tag: 'small' }, `${server.host}/disk:v1`)
    const cid = await cidByTags(new RegistryClient(server.url), digest)

    const clone = await scene.disco('disk-clone', { peers: [server.url] })
    await assertClonable(new RegistryClient(clone.url), digest, cid)
    await clone.stop()
    await server.stop()
    for (const { data } of [server, clone]) {
      const cost = (await diskUse(data)) - bare
      assert.ok(cost < allowed, `${data}: ${cost} bytes for ${size}, ${Math.floor(allowed)} are allowed`)
      await rm(data, { recursive: true })
    }
  })
})

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
