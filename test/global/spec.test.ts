import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { digestOf, formatDigest } from '../../src/oci/digest.ts'
import { indexOf, makeImage, piece, pushBlob, pushBlobs, pushImage, putManifest, registryError, TestDisco } from './harness.ts'

let disco: TestDisco
beforeEach(async () => { disco = await TestDisco.open() })
afterEach(() => disco.close())

describe('a push by digest with tags', () => {
  it('to latest among them: latest goes, the others stay', async () => {
    const image = makeImage()
    await pushBlobs(disco.registry, 'app', image)
    const reference = formatDigest(image.manifest.digest)
    const receipt = await disco.registry.putManifest('app', { reference, tags: ['v1', 'latest', 'v1.2'], bytes: image.manifest.bytes })
    assert.deepEqual(receipt.tags, ['v1', 'latest', 'v1.2'])
    assert.equal(receipt.warning, `app:latest is now ${receipt.cid}`)
    assert.deepEqual((await disco.registry.tags('app')).entries, ['v1', 'v1.2'])
    await disco.registry.manifest('app', reference)
    assert.deepEqual((await disco.registry.manifest(receipt.cid ?? '', 'latest')).digest, image.manifest.digest)
  })

  it('to latest alone: the name goes', async () => {
    const image = makeImage()
    await pushBlobs(disco.registry, 'app', image)
    await disco.registry.putManifest('app', { reference: formatDigest(image.manifest.digest), tags: ['latest'], bytes: image.manifest.bytes })
    await assert.rejects(disco.registry.tags('app'), registryError('NAME_UNKNOWN'))
  })

  it('by sha512 is global under that digest', async () => {
    const image = makeImage()
    await pushBlobs(disco.registry, 'app', image)
    const digest = digestOf(image.manifest.bytes, 'sha512')
    const { cid = '' } = await disco.registry.putManifest('app', { reference: formatDigest(digest), tags: ['latest'], bytes: image.manifest.bytes })
    for (const name of [cid, digest.hex]) assert.deepEqual((await disco.registry.manifest(name, formatDigest(digest))).digest, digest)
    const other = await TestDisco.open({ peers: [disco.index.blocks] })
    try {
      assert.deepEqual((await other.registry.manifest(cid, 'latest')).digest, digest)
    } finally {
      await other.close()
    }
  })
})

describe('deleting', () => {
  it('takes what a name has, and never a global image', async () => {
    const image = makeImage()
    const { cid, digest } = await pushImage(disco.registry, 'app', 'v1', image)
    await disco.registry.deleteBlob('app', formatDigest(image.config.digest))
    await disco.registry.deleteManifest('app', formatDigest(digest))
    await assert.rejects(disco.registry.manifest('app', 'v1'), registryError('MANIFEST_UNKNOWN'))
    await assert.rejects(disco.registry.blob('app', formatDigest(image.config.digest)), registryError('BLOB_UNKNOWN'))
    for (const name of [cid, digest.hex]) {
      await disco.registry.manifest(name, 'latest')
      await disco.registry.blob(name, formatDigest(image.config.digest))
      for (const reference of ['latest', formatDigest(digest)]) await assert.rejects(disco.registry.deleteManifest(name, reference), registryError('DENIED'))
      await assert.rejects(disco.registry.deleteBlob(name, formatDigest(image.config.digest)), registryError('DENIED'))
    }
  })

  it('takes what a name that went is still remembered to have', async () => {
    const image = makeImage()
    await pushImage(disco.registry, 'app', 'latest', image)
    const [manifest, config] = [formatDigest(image.manifest.digest), formatDigest(image.config.digest)]
    await disco.registry.manifest('app', manifest)
    await disco.registry.deleteManifest('app', manifest)
    await disco.registry.deleteBlob('app', config)
    await assert.rejects(disco.registry.manifest('app', manifest), registryError('NAME_UNKNOWN'))
    await assert.rejects(disco.registry.blob('app', config), registryError('NAME_UNKNOWN'))
    await assert.rejects(disco.registry.deleteManifest('app', manifest), registryError('NAME_UNKNOWN'))
    await assert.rejects(disco.registry.deleteManifest('app', 'latest'), registryError('NAME_UNKNOWN'))
  })
})

describe('a delete while a name goes', () => {
  for (const known of [false, true]) {
    for (const what of ['manifest', 'blob'] as const) {
      it(`takes a ${what} of what the name is remembered to have${known ? ', also where it was before' : ''}`, async () => {
        const [image, next] = [makeImage(), makeImage()]
        if (known) await pushImage(disco.registry, 'app', 'latest', image)
        await pushImage(disco.registry, 'app', formatDigest(image.manifest.digest), image)
        await pushBlobs(disco.registry, 'app', next)
        const other = await disco.sharing()
        disco.store.beforeCommit = async () => {
          disco.store.beforeCommit = undefined
          await putManifest(other.registry, 'app', 'latest', next.manifest)
        }
        if (what === 'manifest') await disco.registry.deleteManifest('app', formatDigest(image.manifest.digest))
        else await disco.registry.deleteBlob('app', formatDigest(image.config.digest))
        assert.equal(disco.store.beforeCommit, undefined)
        const look = what === 'manifest'
          ? disco.registry.manifest('app', formatDigest(image.manifest.digest))
          : disco.registry.blob('app', formatDigest(image.config.digest))
        await assert.rejects(look, registryError('NAME_UNKNOWN'))
      })
    }
  }
})

describe('an index of which children are missing', () => {
  it('is local until it is whole, and has then the CID that it always has', async () => {
    const [one, two] = [makeImage(), makeImage()]
    const index = indexOf([one, two])
    for (const image of [one, two]) await pushImage(disco.registry, 'app', formatDigest(image.manifest.digest), image)
    const { cid } = await putManifest(disco.registry, 'app', 'latest', index)

    const sparse = await TestDisco.open({ sparseness: { indexPlatforms: 'none' } })
    try {
      const { registry } = sparse
      await pushImage(registry, 'elsewhere', 'v1', two)
      await pushImage(registry, 'app', formatDigest(one.manifest.digest), one)
      const receipt = await registry.putManifest('app', { reference: 'latest', bytes: index.bytes })
      assert.equal(receipt.cid, undefined)
      assert.match(receipt.warning ?? '', /^app is not global: 1 of what it refers to is not here/)
      assert.deepEqual((await registry.manifest('app', 'latest')).digest, index.digest)
      await assert.rejects(registry.manifest(index.digest.hex, 'latest'), registryError('NAME_UNKNOWN'))
      await pushImage(registry, 'app', formatDigest(two.manifest.digest), two)
      assert.equal((await putManifest(registry, 'app', 'latest', index)).cid, cid)
      await assert.rejects(registry.manifest('app', 'latest'), registryError('NAME_UNKNOWN'))
    } finally {
      await sparse.close()
    }
  })

  it('is refused otherwise', async () => {
    await assert.rejects(putManifest(disco.registry, 'app', 'v1', indexOf([makeImage()])), registryError('MANIFEST_BLOB_UNKNOWN'))
  })
})

describe('a mount', () => {
  it('without a source finds what the asker may pull, but by CIDs and digests only where everybody may pull everything', async () => {
    const image = makeImage()
    await pushImage(disco.registry, 'app', 'latest', image)
    const digest = formatDigest(image.config.digest)
    assert.equal(await disco.registry.mount('copy', digest, { mayPull: () => true }), undefined)
    assert.deepEqual(await disco.registry.mount('copy', digest, {}), image.config.digest)
    await disco.registry.blob('copy', digest)
    await pushImage(disco.registry, 'app', 'v1', image)
    assert.equal(await disco.registry.mount('other', digest, { mayPull: (name) => name !== 'app' && name !== 'copy' }), undefined)
    assert.deepEqual(await disco.registry.mount('other', digest, { mayPull: (name) => name === 'app' }), image.config.digest)
  })

  it('never comes from where the asker may not pull', async () => {
    await pushBlob(disco.registry, 'private', piece('secret'))
    const digest = formatDigest(piece('secret').digest)
    const mayPull = (name: string): boolean => name !== 'private'
    for (const from of ['private', undefined]) assert.equal(await disco.registry.mount('copy', digest, { from, mayPull }), undefined)
    const image = makeImage()
    await pushImage(disco.registry, 'private', 'latest', image)
    assert.equal(await disco.registry.mount('copy', formatDigest(image.config.digest), { from: 'private', mayPull }), undefined)
  })
})
