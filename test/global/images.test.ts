import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digestsBeginning, listImages, type ImageSummary } from '../../src/global/images.ts'
import { digestOf, formatDigest } from '../../src/oci/digest.ts'
import { blobData, inRepository, within } from '../../src/registry/paths.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { descriptorOf, makeImage, piece, pushBlob, pushImage, putManifest, TestDisco } from './harness.ts'

const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'

describe('listImages', () => {
  it('tells what is here, and reads no layer into memory', async () => {
    const disco = await TestDisco.open()
    try {
      const image = await pushImage(disco.registry, 'app', 'latest', makeImage([10, 20]))
      const layer = piece(Buffer.alloc(5 * 1024 * 1024))
      const artifact = piece(JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.x+json', layers: [descriptorOf(layer, 'application/x')] }))
      await pushBlob(disco.registry, 'artifact', layer)
      const { cid } = await putManifest(disco.registry, 'artifact', 'latest', artifact)

      const { get } = disco.store
      disco.store.get = (path, options) => (path === blobData(layer.digest) ? assert.fail('read whole') : get.call(disco.store, path, options))
      const images: ImageSummary[] = []
      for await (const each of listImages(disco.store)) images.push(each)
      assert.deepEqual(images.map((each) => each.cid), [image.cid, cid].sort())
      assert.deepEqual(images.find((each) => each.cid === image.cid)?.platforms, ['linux/amd64'])
      const found = images.find((each) => each.cid === cid)
      assert.deepEqual(found?.platforms, [])
      assert.equal(found?.size, layer.bytes.length + artifact.bytes.length)
    } finally {
      await disco.close()
    }
  })
})

it('finds all digests that begin so, and no others', async () => {
  const store = new MemoryStore()
  const hexes = ['a'.repeat(63) + 'b', 'a'.repeat(12) + 'c'.repeat(52), 'a'.repeat(11) + 'b'.repeat(53), 'b'.repeat(64)]
  for (const hex of hexes) await store.commit({ changes: [{ put: inRepository(hex, within.tagCurrent(CID)), data: Buffer.from('x') }] })
  await store.commit({ changes: [{ put: inRepository('a'.repeat(64), within.tagCurrent('v1')), data: Buffer.from('x') }] })
  const beginning = async (hex: string, limit: number): Promise<string[]> => (await digestsBeginning(store, hex, limit)).map((digest) => digest.hex)
  assert.deepEqual(await beginning('a'.repeat(12), 10), [hexes[0], hexes[1]])
  assert.deepEqual(await beginning('a'.repeat(12), 1), [hexes[0]])
  assert.deepEqual(await beginning('b'.repeat(64), 10), [hexes[3]])
  assert.deepEqual(await beginning('c'.repeat(12), 10), [])
})

it('has no platform for an image that names none', async () => {
  const store = new MemoryStore()
  const config = Buffer.from('{"os":"","architecture":""}')
  const descriptor = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: formatDigest(digestOf(config)), size: config.length }
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config: descriptor, layers: [] }))
  const entries = [manifest, config].map((bytes) => ({ digest: formatDigest(digestOf(bytes)), cid: CID }))
  await store.commit({
    changes: [
      { put: blobData(digestOf(config)), data: config },
      { put: blobData(digestOf(manifest)), data: manifest },
      { put: inRepository(CID, within.discoFile), data: Buffer.from(`${JSON.stringify({ blobs: entries })}\n`) },
    ],
  })
  const images: ImageSummary[] = []
  for await (const image of listImages(store)) images.push(image)
  assert.deepEqual(images.map(({ platforms }) => platforms), [[]])
})
