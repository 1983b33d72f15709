import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { listImages, type ImageSummary } from '../../src/global/images.ts'
import { blobData } from '../../src/registry/paths.ts'
import { descriptorOf, makeImage, piece, pushBlob, pushImage, putManifest, TestDisco } from './harness.ts'

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
