import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatDigest } from '../../src/oci/digest.ts'
import { makeImage, pushImage, registryError, TestDisco } from './harness.ts'

describe('a registry that is read-only', () => {
  it('says of an image that is not here that it fetches nothing now, and not that there is none', async () => {
    const origin = await TestDisco.open()
    const image = makeImage()
    const { cid } = await pushImage(origin.registry, 'app', 'latest', image)
    const disco = await TestDisco.open({ peers: [origin.index.blocks], readonly: true })
    try {
      const refused = registryError('UNAVAILABLE', /read-only/)
      await assert.rejects(disco.registry.manifest(cid, 'latest'), refused)
      await assert.rejects(disco.registry.blob(cid, formatDigest(image.config.digest)), refused)
      await assert.rejects(disco.registry.tags(cid), refused)
      await assert.rejects(disco.registry.cloneGlobalRepo(cid), refused)
      await assert.rejects(disco.registry.manifest('app', 'latest'), registryError('NAME_UNKNOWN'))
      assert.equal(disco.sessions, 0)
      assert.deepEqual(await disco.store.list(''), [])
    } finally {
      await disco.close()
      await origin.close()
    }
  })

  it('serves what is here', async () => {
    const writer = await TestDisco.open()
    const { cid, digest } = await pushImage(writer.registry, 'app', 'latest', makeImage())
    const reader = await writer.sharing({ peers: [], readonly: true })
    assert.deepEqual((await reader.registry.manifest(cid, 'latest')).digest, digest)
    await writer.close()
  })
})
