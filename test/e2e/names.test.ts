import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { CopySession } from './clients/client.ts'
import { copyClients, type Copier } from './harness/clients.ts'
import { attempt } from './harness/command.ts'
import type { DiscoServer } from './harness/disco.ts'
import { dockerPush, type Docker } from './harness/docker.ts'
import { smallImage } from './harness/images.ts'
import { OCI_MANIFEST, RegistryClient, hexOf } from './harness/registry-client.ts'
import { Scene } from './harness/scene.ts'
import { assertComplete, assertGlobal, cidByTags } from './harness/verify.ts'

const UNKNOWN_CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'

describe('names', { timeout: 300_000 }, () => {
  let scene: Scene
  let server: DiscoServer
  let docker: Docker
  let clients: Readonly<Record<Copier, CopySession>>
  let client: RegistryClient
  let layout: string
  let digest: string
  let cid: string

  before(async () => {
    scene = await Scene.begin()
    server = await scene.disco('data')
    client = new RegistryClient(server.url)
    docker = await scene.docker()
    clients = await copyClients(scene)
    layout = join(scene.directory, 'layout')
    digest = await smallImage(layout, { seed: 'names' })
    await clients.skopeo.push({ layout, tag: 'small' }, `${server.host}/names/first:latest`)
    cid = await cidByTags(client, digest)
  })

  after(() => scene.end())

  it('refuse a push to a CID or a digest with DENIED, whoever asks', async () => {
    const other = join(scene.directory, 'other')
    await smallImage(other, { seed: 'another image' })
    const source = `oci:${other}:small`
    for (const name of [cid, hexOf(digest), UNKNOWN_CID, 'a'.repeat(64)]) {
      const image = `${server.host}/${name}:latest`
      await scene.load(docker, other, 'small', image)
      const refusals = {
        docker: await docker.tryDocker('push', image),
        crane: await attempt('crane', ['push', other, image]),
        skopeo: await attempt('skopeo', ['copy', '--dest-tls-verify=false', source, `docker://${image}`]),
      }
      for (const [who, { code, stdout, stderr }] of Object.entries(refusals)) {
        assert.notEqual(code, 0, `${who} to ${name}`)
        assert.match(stdout + stderr, /denied/i, `${who} to ${name}`)
      }
      for (const answer of [
        await client.putManifest(name, 'latest', Uint8Array.of(123, 125), OCI_MANIFEST),
        await client.request('POST', `/v2/${name}/blobs/uploads/`),
      ]) {
        assert.equal(answer.status, 403)
        assert.equal(JSON.parse(answer.bytes.toString()).errors[0].code, 'DENIED')
      }
    }
    await assertGlobal(client, digest, cid)
  })

  it('lose `latest` by a push, and are gone when it was their only tag', async () => {
    assert.equal((await client.manifest('names/first', 'latest')).status, 404)
    assert.equal(await client.tags('names/first'), undefined)
    await clients.skopeo.push({ layout, tag: 'small' }, `${server.host}/names/two:v1`)
    await clients.skopeo.push({ layout, tag: 'small' }, `${server.host}/names/two:latest`)
    assert.deepEqual(await client.tags('names/two'), ['v1'])
    await assertComplete(client, 'names/two', 'v1', digest)
    assert.equal((await client.manifest('names/two', 'latest')).status, 404)
  })

  it('have as many segments as the specification allows', async () => {
    const name = 'one/two/three/four/five'
    await scene.load(docker, layout, 'small', `${server.host}/${name}:latest`)
    const pushed = await dockerPush(docker, `${server.host}/${name}:latest`)
    await assertGlobal(client, pushed, await cidByTags(client, pushed))
  })

  it('keep answering by digest for a while after the push, as oras asks', async () => {
    await clients.oras.copy(`${server.host}/${cid}:latest`, `${server.host}/names/oras:latest`)
    assert.equal((await client.manifest('names/oras', digest)).status, 200)
    assert.equal((await client.manifest('names/oras', 'latest')).status, 404)
  })
})
