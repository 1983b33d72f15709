import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatDigest } from '../../src/oci/digest.ts'
import { repository } from '../../src/registry/paths.ts'
import { indexOf, makeImage, piece, pushBlob, pushBlobs, pushImage, putManifest, TestDisco } from './harness.ts'

describe('one image has one CID', () => {
  it('at every push, in any order, under any name and tag, on any Disco', async () => {
    const [a, b] = [await TestDisco.open(), await TestDisco.open({ keepNames: true })]
    try {
      const image = makeImage([10, 2_000_000, 0])
      const { cid } = await pushImage(a.registry, 'app', 'latest', image)
      const before = await a.paths()
      assert.equal((await pushImage(a.registry, 'app', 'latest', image)).cid, cid)
      assert.deepEqual(await a.paths(), before)
      assert.equal((await pushImage(a.registry, 'other/name', 'v1', image)).cid, cid)
      assert.equal((await pushImage(a.registry, 'x', formatDigest(image.manifest.digest), image)).cid, cid)

      await pushBlob(b.registry, 'full', piece('something else in the name'))
      await pushImage(b.registry, 'full', 'v0', makeImage())
      for (const blob of [image.config, ...image.layers].reverse()) await pushBlob(b.registry, 'full', blob)
      assert.equal((await putManifest(b.registry, 'full', 'latest', image.manifest)).cid, cid)
      for (const path of await a.paths(repository(cid))) assert.equal(await b.text(path), await a.text(path))
    } finally {
      await Promise.all([a.close(), b.close()])
    }
  })

  it('also where it was cloned', async () => {
    const a = await TestDisco.open()
    const b = await TestDisco.open({ peers: [a.index.blocks] })
    try {
      const images = [makeImage([100]), makeImage([200])]
      const index = indexOf(images)
      for (const image of images) await pushImage(a.registry, 'multi', formatDigest(image.manifest.digest), image)
      const { cid } = await putManifest(a.registry, 'multi', 'latest', index)
      await b.registry.cloneGlobalRepo(cid)
      for (const name of [cid, index.digest.hex]) {
        assert.deepEqual(await b.paths(repository(name)), await a.paths(repository(name)))
        for (const path of await a.paths(repository(name))) assert.equal(await b.text(path), await a.text(path))
      }
      for (const image of images) await pushBlobs(b.registry, 'again', image)
      for (const { manifest } of images) await putManifest(b.registry, 'again', formatDigest(manifest.digest), manifest)
      assert.equal((await putManifest(b.registry, 'again', 'latest', index)).cid, cid)
      assert.deepEqual((await b.registry.tags(index.digest.hex)).entries, [cid, 'latest'])
    } finally {
      await Promise.all([a.close(), b.close()])
    }
  })
})
