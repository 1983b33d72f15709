import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { CarReader } from '@ipld/car'
import { CID } from 'multiformats/cid'
import { formatDigest } from '../../src/oci/digest.ts'
import { parseManifest } from '../../src/oci/manifest.ts'
import { repository } from '../../src/registry/paths.ts'
import { contentOf, pushBlob, putManifest, TestDisco, type Peer } from './harness.ts'

const FIXTURE = new URL('../fixtures/go-disco/one-node.car', import.meta.url)
const GO_CID = 'bafybeieq3whadirvwzn6blqncqnvr56hdw5bloa3oajtrcrzynctzerrqy'
const DIGEST = '05c06b23ff35f8fb0bbac800a4e0ed360d83d73ec24e97cb1d42466618b9c5f8'

describe('an image of the original Disco', () => {
  let peer: Peer
  let disco: TestDisco
  before(async () => {
    const car = await CarReader.fromBytes(await readFile(FIXTURE))
    // Its blocks have CIDv0, ours ask by multihash.
    const get = async (cid: CID): Promise<Uint8Array | undefined> =>
      (await car.get(cid) ?? await car.get(cid.code === 0x70 ? CID.createV0(cid.multihash as never) : cid))?.bytes
    peer = { get }
    disco = await TestDisco.open({ peers: [peer] })
  })
  after(() => disco.close())

  it('is cloned with its CIDs as they are, and served again', async () => {
    await disco.registry.cloneGlobalRepo(GO_CID)
    const { digest, bytes } = await disco.registry.manifest(GO_CID, 'latest')
    assert.equal(digest.hex, DIGEST)
    for (const blob of parseManifest(bytes).blobs) {
      const content = await contentOf((await disco.registry.blob(GO_CID, formatDigest(blob.digest))).read())
      assert.equal(content.length, blob.size)
    }
    assert.match(await disco.text(`${repository(GO_CID)}/disco.json`) ?? '', /"cid":"Qm/)
    assert.deepEqual((await disco.registry.tags(DIGEST)).entries, [GO_CID, 'latest'])

    const third = await TestDisco.open({ peers: [disco.index.blocks] })
    try {
      await third.registry.cloneGlobalRepo(GO_CID)
    } finally {
      await third.close()
    }
  })

  it('gets our CID as well when it is pushed', async () => {
    const { bytes, digest } = await disco.registry.manifest(GO_CID, 'latest')
    for (const blob of parseManifest(bytes).blobs) {
      await pushBlob(disco.registry, 'tiny', { digest: blob.digest, bytes: await contentOf((await disco.registry.blob(GO_CID, formatDigest(blob.digest))).read()) })
    }
    const { cid } = await putManifest(disco.registry, 'tiny', 'latest', { digest, bytes })
    assert.notEqual(cid, GO_CID)
    assert.deepEqual((await disco.registry.tags(DIGEST)).entries, [cid, GO_CID, 'latest'].sort())
    assert.deepEqual((await disco.registry.manifest(cid, 'latest')).digest, digest)
  })

  it('has the files that ours have', async () => {
    const ours = await TestDisco.open()
    try {
      const { bytes, digest } = await disco.registry.manifest(GO_CID, 'latest')
      for (const blob of parseManifest(bytes).blobs) {
        await pushBlob(ours.registry, 'tiny', { digest: blob.digest, bytes: await contentOf((await disco.registry.blob(GO_CID, formatDigest(blob.digest))).read()) })
      }
      const { cid } = await putManifest(ours.registry, 'tiny', 'latest', { digest, bytes })
      const below = (paths: string[], name: string): string[] => paths.map((path) => path.replace(name, ''))
      assert.deepEqual(below(await ours.paths(repository(cid)), cid), below(await disco.paths(repository(GO_CID)), GO_CID))
    } finally {
      await ours.close()
    }
  })
})
