import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { CopySession } from './clients/client.ts'
import { COPIERS, PUSHERS, copyClients, type Copier } from './harness/clients.ts'
import type { DiscoServer } from './harness/disco.ts'
import { dockerPush } from './harness/docker.ts'
import { smallImage } from './harness/images.ts'
import { CID_HEADER, RegistryClient, digestOf, expectStatus, hexOf } from './harness/registry-client.ts'
import { Scene } from './harness/scene.ts'
import { assertGlobal, cidByTags } from './harness/verify.ts'

const MIB = 1 << 20
const LAYERS = [3000, 5 * MIB + 17, MIB]

interface ImageManifest {
  readonly config: { readonly digest: string }
  readonly layers: readonly { readonly digest: string }[]
}

describe('one image, one CID', { timeout: 300_000 }, () => {
  let scene: Scene
  let here: DiscoServer
  let there: DiscoServer
  let clients: Readonly<Record<Copier, CopySession>>

  before(async () => {
    scene = await Scene.begin()
    clients = await copyClients(scene)
    here = await scene.disco('here')
    there = await scene.disco('there')
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

  it('monolithic, in a single POST, in chunks of any size: told in the answer of each push', async () => {
    const layout = join(scene.directory, 'pieces')
    const digest = await smallImage(layout, { seed: 'pieces', layers: LAYERS })
    const bytesOf = async (of: string) => Uint8Array.from(await readFile(join(layout, 'blobs/sha256', hexOf(of))))
    const manifest = await bytesOf(digest)
    const { config, layers } = JSON.parse(Buffer.from(manifest).toString()) as ImageManifest
    const told = new Set<string | null>()
    const client = new RegistryClient(here.url)
    for (const size of [undefined, 0, 777_777, MIB, 3 * MIB]) {
      const name = `pieces/of-${size ?? 'all'}`
      for (const blob of [config, ...layers]) await upload(client, name, await bytesOf(blob.digest), size)
      const answer = expectStatus(await client.putManifest(name, 'latest', manifest), 201)
      told.add(answer.headers.get(CID_HEADER))
    }
    await clients.regctl.push({ layout, tag: 'small' }, `${there.host}/pieces/there:latest`)
    assert.deepEqual([...told], [await sharedCid(digest)])
  })

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
