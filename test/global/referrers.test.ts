import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { formatDigest, type Digest } from '../../src/oci/digest.ts'
import { OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST } from '../../src/oci/media-type.ts'
import { contentOf, descriptorOf, makeImage, piece, pushBlob, pushBlobs, pushImage, putManifest, registryError, TestDisco, type Piece } from './harness.ts'

const HOUR = 60 * 60_000
const EMPTY = piece('{}')

/** A signature of something. */
function signatureOf(subject: Piece, seed = String(Math.random())): Piece {
  return piece(JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_IMAGE_MANIFEST,
    artifactType: 'application/vnd.example.signature',
    config: descriptorOf(EMPTY, 'application/vnd.oci.empty.v1+json'),
    layers: [],
    subject: descriptorOf(subject, OCI_IMAGE_MANIFEST),
    annotations: { seed },
  }))
}

let now: number
let disco: TestDisco
beforeEach(async () => {
  now = Date.UTC(2026, 0, 1, 11)
  disco = await TestDisco.open({ now: () => now })
})
afterEach(() => disco.close())

async function sign(name: string, subject: Piece, reference?: string): Promise<Piece> {
  const signature = signatureOf(subject)
  await pushBlob(disco.registry, name, EMPTY)
  const receipt = await putManifest(disco.registry, name, reference ?? formatDigest(signature.digest), signature)
  assert.deepEqual(receipt.subject, subject.digest)
  return signature
}

async function referrers(name: string, subject: Digest): Promise<string[]> {
  return (await disco.registry.referrers(name, formatDigest(subject))).referrers.map(({ digest }) => digest)
}

describe('an image that is signed', () => {
  it('after its name went keeps its signatures there, and can be verified there for good', async () => {
    const image = makeImage()
    await pushImage(disco.registry, 'team/app', 'latest', image)
    const signature = await sign('team/app', image.manifest)
    assert.deepEqual(await referrers('team/app', image.manifest.digest), [formatDigest(signature.digest)])
    now += 48 * HOUR
    assert.deepEqual(Buffer.from((await disco.registry.manifest('team/app', formatDigest(image.manifest.digest))).bytes), image.manifest.bytes)
    const [layer] = image.layers
    const blob = await disco.registry.blob('team/app', formatDigest((layer ?? image.config).digest))
    assert.deepEqual(await contentOf(blob.read()), (layer ?? image.config).bytes)
    await disco.registry.manifest('team/app', formatDigest(signature.digest))
    assert.deepEqual((await disco.registry.tags('team/app')).entries, [])
  })

  it('keeps its signatures when latest is pushed once more', async () => {
    const [image, next] = [makeImage(), makeImage()]
    await pushImage(disco.registry, 'app', formatDigest(image.manifest.digest), image)
    const signature = await sign('app', image.manifest)
    for (const pushed of [image, next]) {
      const { warning, cid } = await pushImage(disco.registry, 'app', 'latest', pushed)
      assert.equal(warning, `app:latest is now ${cid}`)
      await assert.rejects(disco.registry.manifest('app', 'latest'), registryError('MANIFEST_UNKNOWN'))
      assert.deepEqual(await referrers('app', image.manifest.digest), [formatDigest(signature.digest)])
    }
    now += 48 * HOUR
    for (const { digest } of [image.manifest, next.manifest, signature]) await disco.registry.manifest('app', formatDigest(digest))
  })

  for (const tags of [[], ['v1']]) it(`keeps a signature that comes while latest goes${tags.length === 0 ? '' : ', beside other tags'}, and is there for it`, async () => {
    const image = makeImage()
    for (const tag of tags) await pushImage(disco.registry, 'app', tag, makeImage())
    await pushBlobs(disco.registry, 'app', image)
    await pushBlob(disco.registry, 'app', EMPTY)
    const other = await disco.sharing({ now: () => now })
    const signature = signatureOf(image.manifest)
    disco.store.beforeCommit = async () => {
      disco.store.beforeCommit = undefined
      await putManifest(other.registry, 'app', formatDigest(signature.digest), signature)
    }
    await putManifest(disco.registry, 'app', 'latest', image.manifest)
    assert.equal(disco.store.beforeCommit, undefined)
    assert.deepEqual(await referrers('app', image.manifest.digest), [formatDigest(signature.digest)])
    now += 48 * HOUR
    for (const { digest } of [signature, image.manifest]) await disco.registry.manifest('app', formatDigest(digest))
  })

  it('may be signed before it comes, and by what is itself pushed to latest', async () => {
    const image = makeImage()
    const signature = await sign('app', image.manifest, 'latest')
    await assert.rejects(disco.registry.manifest('app', 'latest'), registryError('MANIFEST_UNKNOWN'))
    now += 48 * HOUR
    assert.deepEqual(await referrers('app', image.manifest.digest), [formatDigest(signature.digest)])
    await disco.registry.manifest('app', formatDigest(signature.digest))
  })

  it('goes with its name once the signatures are deleted', async () => {
    const image = makeImage()
    await pushImage(disco.registry, 'app', 'latest', image)
    const signature = await sign('app', image.manifest)
    await disco.registry.deleteManifest('app', formatDigest(signature.digest))
    assert.deepEqual(await referrers('app', image.manifest.digest), [])
    await pushImage(disco.registry, 'app', 'latest', image)
    await assert.rejects(disco.registry.tags('app'), registryError('NAME_UNKNOWN'))
  })

  it('is one image with one CID, and lists in its global repositories what is in them', async () => {
    const image = makeImage()
    const signature = signatureOf(image.manifest)
    const index = piece(JSON.stringify({
      schemaVersion: 2, mediaType: OCI_IMAGE_INDEX, manifests: [image.manifest, signature].map((child) => descriptorOf(child, OCI_IMAGE_MANIFEST)),
    }))
    const alone = await TestDisco.open()
    try {
      const { cid } = await pushImage(disco.registry, 'app', 'latest', image)
      await sign('app', image.manifest)
      assert.deepEqual(await referrers(cid, image.manifest.digest), [])
      assert.deepEqual((await pushImage(alone.registry, 'app', 'latest', image)).cid, cid)
      await pushBlobs(disco.registry, 'both', image)
      await pushBlob(disco.registry, 'both', EMPTY)
      for (const child of [image.manifest, signature]) await putManifest(disco.registry, 'both', formatDigest(child.digest), child)
      const both = await putManifest(disco.registry, 'both', 'latest', index)
      for (const name of [both.cid, index.digest.hex]) {
        assert.deepEqual(await referrers(name, image.manifest.digest), [formatDigest(signature.digest)])
        await disco.registry.manifest(name, formatDigest(signature.digest))
      }
      const cloning = await TestDisco.open({ peers: [disco.index.blocks] })
      try {
        assert.deepEqual(await cloning.registry.referrers(both.cid, formatDigest(image.manifest.digest)), { referrers: [], next: undefined })
        assert.equal(cloning.sessions, 0)
        await cloning.registry.cloneGlobalRepo(both.cid)
        const { referrers: found } = await cloning.registry.referrers(both.cid, formatDigest(image.manifest.digest))
        assert.deepEqual(found.map(({ digest }) => digest), [formatDigest(signature.digest)])
      } finally {
        await cloning.close()
      }
    } finally {
      await alone.close()
    }
  })
})
