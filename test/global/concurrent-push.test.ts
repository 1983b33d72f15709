import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { formatDigest } from '../../src/oci/digest.ts'
import { repository } from '../../src/registry/paths.ts'
import { makeImage, piece, pushBlob, pushBlobs, pushImage, putManifest, registryError, TestDisco } from './harness.ts'

describe('pushes to one name at once', () => {
  let disco: TestDisco
  let other: TestDisco
  beforeEach(async () => {
    disco = await TestDisco.open()
    other = await disco.sharing()
  })
  afterEach(() => disco.close())

  it('lose no tag that another process adds while the name is on its way out', async () => {
    const [mine, theirs] = [makeImage(), makeImage()]
    await pushBlobs(disco.registry, 'app', mine)
    await pushBlobs(other.registry, 'app', theirs)
    let commits = 0
    disco.store.beforeCommit = async () => {
      if (++commits === 1) await putManifest(other.registry, 'app', 'v1', theirs.manifest)
    }
    const { cid } = await putManifest(disco.registry, 'app', 'latest', mine.manifest)
    disco.store.beforeCommit = undefined
    assert.deepEqual((await disco.registry.tags('app')).entries, ['v1'])
    assert.deepEqual((await disco.registry.manifest('app', 'v1')).digest, theirs.manifest.digest)
    for (const { digest } of [theirs.config, ...theirs.layers]) await disco.core.blob('app', formatDigest(digest))
    assert.deepEqual((await disco.registry.manifest(cid, 'latest')).digest, mine.manifest.digest)
  })

  it('lose no tag when the name goes while another process adds it', async () => {
    const [mine, theirs] = [makeImage(), makeImage()]
    await pushBlobs(disco.registry, 'app', mine)
    await pushBlobs(other.registry, 'app', theirs)
    let commits = 0
    disco.store.beforeCommit = async () => {
      if (++commits === 1) await putManifest(other.registry, 'app', 'latest', theirs.manifest)
    }
    await putManifest(disco.registry, 'app', 'v1', mine.manifest)
    disco.store.beforeCommit = undefined
    assert.deepEqual((await disco.registry.tags('app')).entries, ['v1'])
    for (const { digest } of [mine.config, ...mine.layers]) await disco.core.blob('app', formatDigest(digest))
  })

  it('keep the blobs that arrive while the name is on its way out', async () => {
    const late = piece('late')
    const mine = makeImage()
    await pushBlobs(disco.registry, 'app', mine)
    let commits = 0
    disco.store.beforeCommit = async () => {
      if (++commits === 1) await pushBlob(other.registry, 'app', late)
    }
    await putManifest(disco.registry, 'app', 'latest', mine.manifest)
    disco.store.beforeCommit = undefined
    await other.registry.blob('app', formatDigest(late.digest))
    assert.deepEqual(await disco.store.list(repository('app')), ['_layers'])
  })

  it('all succeed, and every tag that was acknowledged is there', async () => {
    const processes = [disco, other, await disco.sharing()]
    const pushes = Array.from({ length: 24 }, async (_, at) => {
      const tag = at % 3 === 0 ? 'latest' : `v${at}`
      const { registry } = processes[at % processes.length] ?? disco
      return { tag, ...await pushImage(registry, 'app', tag, makeImage([100])) }
    })
    const done = await Promise.all(pushes)
    const tags = done.map(({ tag }) => tag).filter((tag) => tag !== 'latest').sort()
    assert.deepEqual([...(await disco.registry.tags('app')).entries].sort(), tags)
    for (const { tag, cid, digest } of done) {
      assert.deepEqual((await disco.registry.manifest(cid, 'latest')).digest, digest)
      if (tag !== 'latest') assert.deepEqual((await disco.registry.manifest('app', tag)).digest, digest)
    }
  })

  it('that never find the name as it was are given up, and nothing has changed', async () => {
    const image = makeImage()
    await pushImage(other.registry, 'app', 'v1', makeImage())
    await pushBlobs(disco.registry, 'app', image)
    const tags = `${repository('app')}/_manifests/tags`
    const list = disco.store.list.bind(disco.store)
    disco.store.list = async (directory, options) => (directory === tags ? [] : list(directory, options))
    await assert.rejects(putManifest(disco.registry, 'app', 'latest', image.manifest), registryError('UNAVAILABLE', /could not be made global/))
    disco.store.list = list
    assert.deepEqual((await disco.registry.tags('app')).entries, ['v1'])
    assert.deepEqual(await disco.store.list(repository(image.manifest.digest.hex)), [])
  })
})

describe('a push that fails', () => {
  let disco: TestDisco
  beforeEach(async () => { disco = await TestDisco.open() })
  afterEach(() => disco.close())

  it('says why, and what was there before is still there', async () => {
    const [old, image] = [makeImage(), makeImage()]
    await pushImage(disco.registry, 'app', 'v1', old)
    await pushBlobs(disco.registry, 'app', image)
    const before = await disco.paths('')
    const full = new Error('no space left on device')
    for (const reference of ['latest', 'v1', 'v2', formatDigest(image.manifest.digest)]) {
      disco.store.beforeCommit = () => { throw full }
      await assert.rejects(putManifest(disco.registry, 'app', reference, image.manifest), (error: Error) =>
        registryError('UNAVAILABLE', /no space left on device/)(error) && error.cause === full)
      disco.store.beforeCommit = undefined
      assert.deepEqual(await disco.paths(''), before)
    }
    assert.deepEqual((await disco.registry.manifest('app', 'v1')).digest, old.manifest.digest)
    assert.equal((await putManifest(disco.registry, 'app', 'latest', image.manifest)).digest.hex, image.manifest.digest.hex)
  })

  it('because the client went, changes nothing', async () => {
    const image = makeImage()
    await pushBlobs(disco.registry, 'app', image)
    const before = await disco.paths('')
    const client = new AbortController()
    disco.store.beforeCommit = () => client.abort(new Error('gone'))
    const put = { reference: 'latest', bytes: image.manifest.bytes }
    await assert.rejects(disco.registry.putManifest('app', put, { signal: client.signal }), /gone/)
    assert.deepEqual(await disco.paths(''), before)
  })

  /** A store without transactions keeps the order of a batch: cut off after any change, nothing may be half visible. */
  for (const reference of ['latest', 'v1']) {
    it(`to ${reference} in the middle of a commit shows nothing half`, async () => {
      const elsewhere = await TestDisco.open()
      let total = 1
      for (let cut = 0; cut < total; cut++) {
        const image = makeImage([100])
        const { cid } = await pushImage(elsewhere.registry, 'app', 'latest', image)
        const name = `app${cut}`
        await pushBlobs(disco.registry, name, image)
        disco.store.beforeCommit = async ({ changes = [] }) => {
          disco.store.beforeCommit = undefined
          total = changes.length
          await disco.store.commit({ changes: changes.slice(0, cut) })
          throw new Error('killed')
        }
        await assert.rejects(putManifest(disco.registry, name, reference, image.manifest), /killed/)
        for (const [visible, tag] of [[cid, 'latest'], [image.manifest.digest.hex, 'latest'], [name, 'v1']] as const) {
          const seen = await disco.registry.manifest(visible, tag).catch(() => undefined)
          if (seen === undefined) continue
          for (const { digest } of [image.config, ...image.layers]) await disco.registry.blob(visible, formatDigest(digest))
        }
        assert.equal((await putManifest(disco.registry, name, reference, image.manifest)).cid, cid)
      }
      assert.ok(total > 10)
      await elsewhere.close()
    })
  }
})
