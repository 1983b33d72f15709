import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { formatDigest } from '../../src/oci/digest.ts'
import { contentOf, imageOf, indexOf, makeImage, piece, pushBlob, pushBlobs, pushImage, putManifest, registryError, TestDisco } from './harness.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

describe('a name that went', () => {
  let now: number
  let disco: TestDisco
  let other: TestDisco
  beforeEach(async () => {
    now = Date.UTC(2026, 0, 1, 11, 59, 59)
    const options = { now: () => now }
    disco = await TestDisco.open(options)
    other = await disco.sharing(options)
  })
  afterEach(() => disco.close())

  it('answers by digest for ten minutes, in every process; its tag does not', async () => {
    const image = makeImage()
    await pushImage(disco.registry, 'team/app', 'latest', image)
    now += 9 * MINUTE
    for (const { registry } of [disco, other]) {
      const manifest = await registry.manifest('team/app', formatDigest(image.manifest.digest))
      assert.deepEqual(Buffer.from(manifest.bytes), image.manifest.bytes)
      for (const { digest, bytes } of [image.config, ...image.layers]) {
        const blob = await registry.blob('team/app', formatDigest(digest))
        assert.equal(blob.size, bytes.length)
        assert.deepEqual(await contentOf(blob.read()), bytes)
      }
      await assert.rejects(registry.manifest('team/app', 'latest'), registryError('NAME_UNKNOWN'))
      await assert.rejects(registry.blob('team', formatDigest(image.config.digest)), registryError('NAME_UNKNOWN'))
    }
    now += MINUTE
    await assert.rejects(disco.registry.manifest('team/app', formatDigest(image.manifest.digest)), registryError('NAME_UNKNOWN'))
    await assert.rejects(disco.registry.blob('team/app', formatDigest(image.config.digest)), registryError('NAME_UNKNOWN'))
  })

  it('answers so too where another tag keeps the name', async () => {
    await pushImage(disco.registry, 'app', 'v1', makeImage())
    const image = makeImage()
    await pushImage(disco.registry, 'app', 'latest', image)
    await disco.registry.manifest('app', formatDigest(image.manifest.digest))
    now += 10 * MINUTE
    await assert.rejects(disco.registry.manifest('app', formatDigest(image.manifest.digest)), registryError('MANIFEST_UNKNOWN'))
  })

  it('does not make the pushes of others fail', async () => {
    const [mine, theirs] = [makeImage(), makeImage()]
    await pushBlobs(other.registry, 'app', theirs)
    await pushImage(disco.registry, 'app', 'latest', mine)
    now += HOUR
    const { cid } = await putManifest(other.registry, 'app', 'v1', theirs.manifest)
    await other.registry.blob('app', formatDigest(theirs.config.digest))
    assert.deepEqual((await other.registry.manifest(cid, 'latest')).digest, theirs.manifest.digest)
  })

  it('lets blobs be mounted into other names', async () => {
    const image = makeImage()
    await pushImage(disco.registry, 'app', 'latest', image)
    assert.deepEqual(await other.registry.mount('copy', formatDigest(image.config.digest), { from: 'app' }), image.config.digest)
    await other.registry.blob('copy', formatDigest(image.config.digest))
    assert.equal(await other.registry.mount('copy', formatDigest(piece('never seen').digest), { from: 'app' }), undefined)
    assert.equal(await other.registry.mount('copy', formatDigest(image.config.digest), { from: '../app' }), undefined)
  })

  it('gives nothing away that it never had', async () => {
    const secret = piece('secret')
    await pushBlob(disco.registry, 'private', secret)
    await pushImage(disco.registry, 'app', 'latest', makeImage())
    await assert.rejects(disco.registry.blob('app', formatDigest(secret.digest)), registryError('NAME_UNKNOWN'))
    const { config, manifest } = imageOf([secret])
    await pushBlob(disco.registry, 'app', config)
    await assert.rejects(putManifest(disco.registry, 'app', 'latest', manifest), registryError('MANIFEST_BLOB_UNKNOWN'))
  })

  it('does not pass a layer off as a manifest', async () => {
    const image = makeImage()
    await pushImage(disco.registry, 'app', 'latest', image)
    const [layer] = image.layers
    const manifest = indexOf([{ ...image, manifest: layer ?? image.config }])
    await assert.rejects(putManifest(disco.registry, 'app', 'latest', manifest), registryError('MANIFEST_BLOB_UNKNOWN'))
  })

  it('is forgotten in the end', async () => {
    await pushImage(disco.registry, 'app', 'latest', makeImage())
    const [first] = await disco.store.list('disco/recent')
    now += 36 * HOUR
    await pushImage(disco.registry, 'app', 'latest', makeImage())
    const periods = await disco.store.list('disco/recent')
    assert.equal(periods.length, 1)
    assert.notEqual(periods[0], first)
  })
})
