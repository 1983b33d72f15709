import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { formatDigest } from '../../src/oci/digest.ts'
import { blobData, repository } from '../../src/registry/paths.ts'
import {
  contentOf, imageOf, indexOf, makeImage, piece, pushBlob, pushBlobs, pushImage, putManifest, registryError, TestDisco,
} from './harness.ts'

describe('a push', () => {
  let disco: TestDisco
  before(async () => { disco = await TestDisco.open() })
  after(() => disco.close())

  it('to latest leaves the image under its CID and its digest, and no name', async () => {
    const image = makeImage()
    const { cid, digest } = await pushImage(disco.registry, 'team/app', 'latest', image)
    const inside = [
      ...[image.config, ...image.layers].map((blob) => `_layers/sha256/${blob.digest.hex}/link`),
      `_manifests/revisions/sha256/${digest.hex}/link`,
      '_manifests/tags/latest/current/link',
      `_manifests/tags/latest/index/sha256/${digest.hex}/link`,
      'disco.json',
    ].sort()
    const below = async (name: string): Promise<string[]> =>
      (await disco.paths(repository(name))).map((path) => path.slice(repository(name).length + 1)).sort()
    assert.deepEqual(await below(cid), inside)
    assert.deepEqual(await below(digest.hex), [
      ...inside, `_manifests/tags/${cid}/current/link`, `_manifests/tags/${cid}/index/sha256/${digest.hex}/link`,
    ].sort())
    assert.deepEqual((await disco.store.list(repository('team/app'))), [])
    for (const path of inside.filter((entry) => entry.startsWith('_manifests'))) {
      assert.equal(await disco.text(`${repository(cid)}/${path}`), formatDigest(digest))
    }
    await assert.rejects(disco.registry.manifest('team/app', 'latest'), registryError('NAME_UNKNOWN'))
    await assert.rejects(disco.registry.tags('team/app'), registryError('NAME_UNKNOWN'))
    assert.deepEqual((await disco.registry.tags(digest.hex)).entries, [cid, 'latest'])
    assert.deepEqual((await disco.registry.manifest(cid, 'latest')).digest, digest)
    assert.deepEqual((await disco.registry.manifest(cid, formatDigest(digest))).digest, digest)
  })

  it('is provided: the repository and every blob', async () => {
    const image = makeImage()
    const { cid } = await pushImage(disco.registry, 'app', 'latest', image)
    const file = JSON.parse(await disco.text(`${repository(cid)}/disco.json`) ?? '') as { blobs: { digest: string; cid: string }[] }
    assert.deepEqual(file.blobs.map(({ digest }) => digest), [image.manifest, image.config, ...image.layers].map(({ digest }) => digest.hex))
    assert.deepEqual(disco.provided.slice(-5), [cid, ...file.blobs.map((blob) => blob.cid)])
  })

  it('serves every block of what it made', async () => {
    const { cid } = await pushImage(disco.registry, 'app', 'latest', makeImage([2_500_000]))
    const other = await TestDisco.open({ peers: [disco.index.blocks] })
    try {
      await other.registry.cloneGlobalRepo(cid)
    } finally {
      await other.close()
    }
  })

  it('to another tag is global too, and the tag stays', async () => {
    const image = makeImage()
    const { cid, digest } = await pushImage(disco.registry, 'kept', 'v1', image)
    assert.deepEqual((await disco.registry.tags('kept')).entries, ['v1'])
    assert.deepEqual((await disco.registry.manifest('kept', 'v1')).digest, digest)
    assert.deepEqual((await disco.registry.manifest(cid, 'latest')).digest, digest)
    await disco.registry.blob('kept', formatDigest(image.config.digest))

    await pushImage(disco.registry, 'kept', 'latest', makeImage())
    assert.deepEqual((await disco.registry.tags('kept')).entries, ['v1'])
    await disco.registry.blob('kept', formatDigest(image.config.digest))
  })

  it('by digest is global too', async () => {
    const image = makeImage()
    const { cid } = await pushImage(disco.registry, 'by-digest', formatDigest(image.manifest.digest), image)
    assert.deepEqual((await disco.registry.manifest(cid, 'latest')).digest, image.manifest.digest)
    await disco.registry.manifest('by-digest', formatDigest(image.manifest.digest))
  })

  it('to latest leaves names below, and uploads under way', async () => {
    for (const name of ['a/b', 'a/disco.json']) await pushImage(disco.registry, name, 'v1', makeImage())
    await pushBlob(disco.registry, 'a/c', piece('early'))
    const image = makeImage()
    const { id } = await disco.registry.startUpload('a')
    await disco.registry.appendUpload('a', id, 0, [Buffer.from('half')].values() as never)
    await pushImage(disco.registry, 'a', 'latest', image)
    for (const name of ['a/b', 'a/disco.json']) assert.deepEqual((await disco.registry.tags(name)).entries, ['v1'])
    await disco.registry.blob('a/c', formatDigest(piece('early').digest))
    assert.equal((await disco.registry.upload('a', id)).size, 4)
    await disco.registry.appendUpload('a', id, 4, [Buffer.from('-whole')].values() as never)
    await disco.registry.finishUpload('a', id, formatDigest(piece('half-whole').digest))
    await disco.registry.blob('a', formatDigest(piece('half-whole').digest))
  })

  it('with an index brings the children along, each mentioned once', async () => {
    const shared = piece('a layer of both')
    const images = [imageOf([shared, piece('one')]), imageOf([piece('two'), shared, shared])]
    const index = indexOf([...images, ...images])
    for (const image of images) await pushImage(disco.registry, 'multi', formatDigest(image.manifest.digest), image)
    const { cid, digest } = await putManifest(disco.registry, 'multi', 'latest', index)
    const [one, two] = images
    const file = JSON.parse(await disco.text(`${repository(cid)}/disco.json`) ?? '') as { blobs: { digest: string }[] }
    assert.deepEqual(file.blobs.map((blob) => blob.digest), [
      index, one?.manifest, one?.config, shared, piece('one'), two?.manifest, two?.config, piece('two'),
    ].map((entry) => entry?.digest.hex))
    for (const name of [cid, digest.hex]) {
      for (const { manifest, config } of images) {
        assert.deepEqual(Buffer.from((await disco.registry.manifest(name, formatDigest(manifest.digest))).bytes), manifest.bytes)
        assert.deepEqual(await contentOf((await disco.registry.blob(name, formatDigest(config.digest))).read()), config.bytes)
      }
    }
    await assert.rejects(disco.registry.tags('multi'), registryError('NAME_UNKNOWN'))
  })

  it('of a manifest whose sizes are wrong is refused: nobody could clone it', async () => {
    const { config, layers } = makeImage()
    const lying = imageOf([{ digest: layers[0]?.digest ?? config.digest, bytes: Buffer.alloc(3) }], config)
    for (const blob of [config, ...layers]) await pushBlob(disco.registry, 'lying', blob)
    await assert.rejects(putManifest(disco.registry, 'lying', 'v1', lying.manifest), registryError('MANIFEST_INVALID', /1000 bytes/))
    await assert.rejects(disco.registry.tags('lying'), registryError('NAME_UNKNOWN'))
    assert.equal(await disco.store.stat(blobData(lying.manifest.digest)), undefined)
  })

  it('leaves layers out that are found elsewhere, whether they are here or not', async () => {
    const { config, layers } = makeImage()
    const foreign = { mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', digest: formatDigest(piece('windows').digest), size: 7, urls: ['https://example.com/'] }
    const whole = imageOf(layers, config)
    const manifest = piece(whole.manifest.bytes.toString().replace('"layers":[', `"layers":[${JSON.stringify(foreign)},`))
    await pushBlobs(disco.registry, 'windows', whole)
    const { cid } = await putManifest(disco.registry, 'windows', 'latest', manifest)
    await pushBlob(disco.registry, 'windows', piece('windows'))
    assert.equal((await putManifest(disco.registry, 'windows', 'latest', manifest)).cid, cid)
    const file = await disco.text(`${repository(cid)}/disco.json`)
    assert.equal(file?.includes(piece('windows').digest.hex), false)

    const other = await TestDisco.open({ peers: [disco.index.blocks] })
    try {
      await other.registry.cloneGlobalRepo(cid)
    } finally {
      await other.close()
    }
  })

  it('with sha512 digests is global by the long name', async () => {
    const layer = piece('long', 'sha512')
    const { config, manifest } = imageOf([layer])
    const long = piece(manifest.bytes, 'sha512')
    await pushBlobs(disco.registry, 'long', { config, layers: [layer], manifest })
    const { cid } = await putManifest(disco.registry, 'long', formatDigest(long.digest), long)
    assert.equal(long.digest.hex.length, 128)
    assert.deepEqual((await disco.registry.tags(long.digest.hex)).entries, [cid, 'latest'])
  })
})

describe('a pull-only name', () => {
  let disco: TestDisco
  before(async () => { disco = await TestDisco.open() })
  after(() => disco.close())

  it('refuses every write before it reads a byte', async () => {
    const image = makeImage()
    const { cid, digest } = await pushImage(disco.registry, 'app', 'latest', image)
    const blob = formatDigest(image.config.digest)
    const unread: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => assert.fail('the body was read') }
    for (const name of [cid, digest.hex, `${cid}/below`]) {
      const writes = [
        disco.registry.startUpload(name),
        disco.registry.appendUpload(name, 'id', 0, unread),
        disco.registry.finishUpload(name, 'id', blob),
        disco.registry.cancelUpload(name, 'id'),
        disco.registry.mount(name, blob, { from: 'app' }),
        disco.registry.putManifest(name, { reference: 'latest', bytes: image.manifest.bytes }),
        disco.registry.makeGlobalRepo(name),
      ]
      for (const write of writes) await assert.rejects(write, registryError('DENIED'))
    }
  })

  it('of a digest that is not here is unknown', async () => {
    await assert.rejects(disco.registry.manifest('0'.repeat(64), 'latest'), registryError('NAME_UNKNOWN'))
  })
})

describe('keepNames', () => {
  it('keeps latest as a local name', async () => {
    const disco = await TestDisco.open({ keepNames: true })
    try {
      const image = makeImage()
      const { cid, digest } = await pushImage(disco.registry, 'app', 'latest', image)
      assert.deepEqual((await disco.registry.tags('app')).entries, ['latest'])
      assert.deepEqual((await disco.registry.manifest('app', 'latest')).digest, digest)
      assert.deepEqual((await disco.registry.tags(cid)).entries, ['latest'])
      assert.equal(await disco.registry.makeGlobalRepo('app'), cid)
      assert.deepEqual((await disco.registry.tags('app')).entries, ['latest'])
    } finally {
      await disco.close()
    }
  })
})

describe('makeGlobalRepo', () => {
  let disco: TestDisco
  before(async () => { disco = await TestDisco.open() })
  after(() => disco.close())

  it('makes global what latest holds, as a push does', async () => {
    const image = makeImage()
    await pushBlobs(disco.core, 'app', image)
    await disco.core.putManifest('app', { reference: 'latest', bytes: image.manifest.bytes })
    const cid = await disco.registry.makeGlobalRepo('app')
    assert.deepEqual((await disco.registry.manifest(cid, 'latest')).digest, image.manifest.digest)
    await assert.rejects(disco.registry.tags('app'), registryError('NAME_UNKNOWN'))
    assert.equal((await pushImage(disco.registry, 'other', 'v1', image)).cid, cid)
  })

  it('leaves alone what others push to latest meanwhile', async () => {
    const [image, next] = [makeImage(), makeImage()]
    for (const { config, layers, manifest } of [image, next]) {
      for (const blob of [config, ...layers]) await pushBlob(disco.core, 'moving', blob)
      if (manifest === image.manifest) await disco.core.putManifest('moving', { reference: 'latest', bytes: manifest.bytes })
    }
    disco.store.beforeCommit = async () => {
      disco.store.beforeCommit = undefined
      await disco.core.putManifest('moving', { reference: 'latest', bytes: next.manifest.bytes })
    }
    await assert.rejects(disco.registry.makeGlobalRepo('moving'), registryError('UNAVAILABLE', /could not be made global/))
    assert.deepEqual((await disco.registry.manifest('moving', 'latest')).digest, next.manifest.digest)
  })

  it('takes nothing that is only in other repositories', async () => {
    const sparse = await TestDisco.open({ sparseness: { blobs: true } })
    try {
      const secret = piece('secret')
      const image = imageOf([secret])
      await pushBlob(sparse.registry, 'private', secret)
      await pushBlob(sparse.registry, 'app', image.config)
      await sparse.registry.putManifest('app', { reference: 'latest', bytes: image.manifest.bytes })
      await assert.rejects(sparse.registry.makeGlobalRepo('app'), registryError('MANIFEST_BLOB_UNKNOWN'))
      await assert.rejects(sparse.registry.blob(image.manifest.digest.hex, formatDigest(secret.digest)), registryError('NAME_UNKNOWN'))
    } finally {
      await sparse.close()
    }
  })

  it('tells of a name without latest', async () => {
    await assert.rejects(disco.registry.makeGlobalRepo('nothing'), registryError('NAME_UNKNOWN'))
    await pushImage(disco.registry, 'tagged', 'v1', makeImage())
    await assert.rejects(disco.registry.makeGlobalRepo('tagged'), registryError('MANIFEST_UNKNOWN'))
  })
})
