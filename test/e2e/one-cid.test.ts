import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { CopySession } from './clients/client.ts'
import { COPIERS, PUSHERS, copyClients, type Copier } from './harness/clients.ts'
import type { DiscoServer } from './harness/disco.ts'
import { dockerPush } from './harness/docker.ts'
import { smallImage } from './harness/images.ts'
import { assertSameForIpfs } from './harness/ipfs-view.ts'
import { CID_HEADER, RegistryClient, digestOf, expectStatus, hexOf } from './harness/registry-client.ts'
import { Scene } from './harness/scene.ts'
import { assertGlobal, cidByTags } from './harness/verify.ts'

const MIB = 1 << 20
const LAYERS = [3000, 5 * MIB + 17, MIB]

interface ImageManifest {
  readonly config: { readonly digest: string }
  readonly layers: readonly { readonly digest: string }[]
}

describe('one image, one CID', { timeout: 600_000 }, () => {
  let scene: Scene
  /** The embedded node. */
  let here: DiscoServer
  /** Three Kubos. */
  let there: DiscoServer
  let clients: Readonly<Record<Copier, CopySession>>

  before(async () => {
    scene = await Scene.begin()
    clients = await copyClients(scene)
    here = await scene.disco('here')
    const kubos = [await scene.kubo(), await scene.kubo(), await scene.kubo()] as const
    for (const kubo of kubos.slice(1)) await kubo.connect(kubos[0])
    there = await scene.disco('there', { kubos })
  })

  after(() => scene.end())

  /** The image's CID on both servers, whole on both. */
  async function sharedCid(digest: string): Promise<string> {
    const cids = []
    for (const { url } of [here, there]) {
      const client = new RegistryClient(url)
      const cid = await cidByTags(client, digest)
      await assertGlobal(client, digest, cid)
      assert.equal((await client.tags(hexOf(digest)))?.filter((tag) => tag.startsWith('bafy')).length, 1)
      cids.push(cid)
    }
    assert.equal(cids[0], cids[1])
    return cids[0] ?? assert.fail()
  }

  for (const [kind, architectures] of [['an image', ['amd64']], ['an index', ['amd64', 'arm64']]] as const) {
    for (const first of PUSHERS) {
      for (const second of COPIERS) {
        it(`${kind}: ${first} here, ${second} there`, async () => {
          const layout = join(scene.directory, `${architectures.length}-${first}-${second}`)
          const digest = await smallImage(layout, { seed: layout, architectures, layers: LAYERS })
          await clients[first].push({ layout, tag: 'small' }, `${here.host}/one/${first}:latest`)
          await clients[second].copy(`${here.host}/${hexOf(digest)}:latest`, `${there.host}/two/${second}:v1`)
          await sharedCid(digest)
        })
      }
    }
  }

  it('docker to both, crane and regctl on top', async () => {
    const docker = await scene.docker()
    const layout = join(scene.directory, 'docker')
    await smallImage(layout, { seed: 'docker', layers: LAYERS })
    const digests = []
    for (const { host } of [here, there]) {
      await scene.load(docker, layout, 'small', `${host}/by/docker:latest`)
      digests.push(await dockerPush(docker, `${host}/by/docker:latest`))
    }
    assert.equal(digests[0], digests[1])
    const cid = await sharedCid(digests[0] ?? assert.fail())
    await clients.crane.copy(`${here.host}/${cid}:latest`, `${there.host}/again/crane:latest`)
    await clients.regctl.copy(`${there.host}/${cid}:latest`, `${here.host}/again/regctl:other`)
    assert.equal(await sharedCid(digests[0] ?? assert.fail()), cid)
  })

  it('crane push of a layout', async () => {
    const layout = join(scene.directory, 'crane')
    const digest = await smallImage(layout, { seed: 'crane', layers: LAYERS })
    await clients.crane.push({ layout, tag: 'small' }, `${here.host}/crane/push:latest`)
    await clients.oras.push({ layout, tag: 'small' }, `${there.host}/oras/push:latest`)
    await sharedCid(digest)
  })

  const pieces = [undefined, 0, 777_777, MIB, 3 * MIB]
  for (const [number, size] of pieces.entries()) {
    const otherSize = pieces[(number + 1) % pieces.length]
    const told = (bytes: number | undefined): string => bytes === undefined ? 'in a single POST' : bytes === 0 ? 'monolithic' : `in chunks of ${bytes} bytes`
    it(`${told(size)} here, ${told(otherSize)} there: told in the answer of each push`, async () => {
      const layout = join(scene.directory, `pieces-${number}`)
      const digest = await smallImage(layout, { seed: layout, layers: LAYERS })
      const bytesOf = async (of: string) => Uint8Array.from(await readFile(join(layout, 'blobs/sha256', hexOf(of))))
      const manifest = await bytesOf(digest)
      const { config, layers } = JSON.parse(Buffer.from(manifest).toString()) as ImageManifest
      const cids = []
      for (const [{ url }, bytes] of [[here, size], [there, otherSize]] as const) {
        const client = new RegistryClient(url)
        for (const blob of [config, ...layers]) await upload(client, 'in/pieces', await bytesOf(blob.digest), bytes)
        cids.push(expectStatus(await client.putManifest('in/pieces', 'latest', manifest), 201).headers.get(CID_HEADER))
      }
      const cid = await sharedCid(digest)
      assert.deepEqual(cids, [cid, cid])
    })
  }

  for (const [kind, architectures] of [['an image', ['amd64']], ['an index', ['amd64', 'arm64']]] as const) {
    it(`${kind}: over one Kubo as well, and \`ipfs add -r\` says the same`, async () => {
      const layout = join(scene.directory, `one-${architectures.length}`)
      const digest = await smallImage(layout, { seed: layout, architectures, layers: LAYERS })
      const kubo = await scene.kubo()
      const one = await scene.disco(`one-${architectures.length}-data`, { kubos: [kubo] })
      for (const { host } of [here, there, one]) await clients.regctl.push({ layout, tag: 'small' }, `${host}/over/all:latest`)
      const cid = await sharedCid(digest)
      assert.equal(await cidByTags(new RegistryClient(one.url), digest), cid)
      await assertGlobal(new RegistryClient(one.url), digest, cid)
      await assertSameForIpfs(kubo, cid, digest, join(scene.directory, `got-${architectures.length}`))
    })
  }

  /** By PATCHes of `size` bytes; all at once in a PUT where it is 0, in the POST where it is undefined. */
  async function upload(client: RegistryClient, name: string, bytes: Uint8Array<ArrayBuffer>, size?: number) {
    const digest = digestOf(bytes)
    if (size === undefined) {
      const headers = { 'content-type': 'application/octet-stream' }
      const path = `/v2/${name}/blobs/uploads/?digest=${digest}`
      expectStatus(await client.request('POST', path, { body: bytes, headers }), 201)
      return
    }
    let state = await client.startUpload(name)
    if (size === 0) return client.finishUpload(state, digest, bytes)
    while (state.size < bytes.length) {
      state = await client.patchUpload(state, bytes.subarray(state.size, state.size + size))
    }
    await client.finishUpload(state, digest)
  }
})
