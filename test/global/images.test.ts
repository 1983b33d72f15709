import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digestsBeginning, listImages, type ImageSummary } from '../../src/global/images.ts'
import { digestOf, formatDigest } from '../../src/oci/digest.ts'
import { link } from '../../src/registry/links.ts'
import { blobData, inRepository, within } from '../../src/registry/paths.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { descriptorOf, indexOf, makeImage, piece, pushBlob, pushImage, putManifest, TestDisco } from './harness.ts'

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

  it('tells of images that have no disco.json, as where there is no IPFS, and not of those that are not whole', async () => {
    const disco = await TestDisco.open()
    try {
      const parts = [makeImage([10, 20]), makeImage([3000])]
      for (const image of parts) await pushImage(disco.registry, 'app', `sha256:${image.manifest.digest.hex}`, image)
      const list = indexOf(parts)
      const { cid } = await putManifest(disco.registry, 'app', 'latest', list)
      const all = async (): Promise<ImageSummary[]> => {
        const images: ImageSummary[] = []
        for await (const each of listImages(disco.store)) images.push(each)
        return images
      }
      const before = await all()
      assert.equal(before.length, 3)
      const size = [list, ...parts.flatMap(({ config, layers, manifest }) => [config, ...layers, manifest])].reduce((sum, { bytes }) => sum + bytes.length, 0)
      assert.equal(before.find((each) => each.cid === cid)?.size, size)
      await disco.store.commit({ changes: before.map((each) => ({ delete: inRepository(each.cid, within.discoFile) })) })
      assert.deepEqual((await all()).map((each) => ({ ...each, createdAt: 0 })), before.map((each) => ({ ...each, createdAt: 0 })))
      await disco.store.commit({ changes: [{ delete: blobData(parts[0]?.manifest.digest ?? assert.fail()) }] })
      assert.equal((await all()).length, 1)
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
  await store.commit({
    changes: [
      { put: blobData(digestOf(config)), data: config },
      { put: blobData(digestOf(manifest)), data: manifest },
      link(inRepository(CID, within.tagCurrent('latest')), digestOf(manifest)),
    ],
  })
  const images: ImageSummary[] = []
  for await (const image of listImages(store)) images.push(image)
  assert.deepEqual(images.map(({ platforms }) => platforms), [[]])
})
