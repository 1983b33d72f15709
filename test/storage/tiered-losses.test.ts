import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { digestOf } from '../../src/oci/digest.ts'
import { blobData, inRepository, within } from '../../src/registry/paths.ts'
import { DigestMismatchError, ObjectUnknownError } from '../../src/storage/errors.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { bytes, collect, fill, text } from '../contract/bytes.ts'
import { CID, imageChanges, pushBlob, tagChanges, tierOf } from './tier-scene.ts'

const LAYER = fill(3_000_000)
const LATEST = inRepository(CID, within.tagCurrent('latest'))
const LOST = { changes: [{ delete: 'docker' }] }

/** What of a store's objects is not at hand again at once. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 10_000; !(await holds()); await sleep(10)) if (Date.now() > deadline) throw new Error('it did not come to hold')
}

describe('a tier, while the copy is owed what was written', () => {
  it('has it from the copy where the authority is away, or has lost it', async () => {
    const { store, authority, copy, inside } = tierOf()
    // Everything arrives, and the notes stay.
    let isNoteLeft = true
    authority.beforeCommit = async ({ changes = [] }) => {
      if (isNoteLeft && changes.some((change) => 'delete' in change && change.delete.startsWith('disco/tier/'))) throw new Error('not now')
    }
    const { path, digest } = await pushBlob(store, LAYER)
    await store.commit({ changes: imageChanges(digest) })
    await store.idle()
    assert.equal((await inside.authority.list('disco/tier')).length, 2)
    copy.asked = []
    await store.get(LATEST)
    assert.deepEqual(copy.asked, [], 'of a repository the authority is asked first')
    await inside.authority.commit(LOST)
    assert.deepEqual(await collect(store.read(path)), bytes(LAYER))
    assert.ok(await store.get(LATEST))
    assert.deepEqual(await store.list(inRepository(CID, within.tags)), ['latest'])
    const later = tierOf({ left: inside, readonly: true })
    assert.deepEqual(await collect(later.store.read(path)), bytes(LAYER))
    assert.ok(await later.store.get(LATEST))

    // What is paid then is not taken from the copy as well, and comes back.
    isNoteLeft = false
    assert.ok(await store.pay())
    assert.ok(await inside.copy.stat(path))
    assert.ok(await inside.copy.get(LATEST))
    assert.equal(await store.heal(), 2)
    assert.deepEqual(await collect(inside.authority.read(path)), bytes(LAYER))
    assert.ok(await inside.authority.get(LATEST))
    await later.store.close()
    await store.close()
  })

  it('has nothing that was deleted since, whoever comes last to the copy', async () => {
    const one = tierOf()
    const two = tierOf({ left: one.inside })
    const { promise: go, resolve } = Promise.withResolvers<void>()
    one.copy.beforeCommit = () => go
    const { path } = await pushBlob(one.store, LAYER)
    await two.store.commit({ changes: [{ delete: path }] })
    await two.store.idle()
    resolve()
    await one.store.idle()
    for (const { store } of [one, two]) {
      assert.equal(await store.stat(path), undefined)
      assert.equal(await store.restore(path), false)
    }
    await until(async () => (await two.store.pay()) && (await one.inside.authority.list('disco/tier')).length === 0)
    assert.equal(await one.inside.copy.stat(path), undefined)
    assert.equal(await one.store.stat(path), undefined)
    for (const { store } of [one, two]) await store.close()
  })

  it('asks nothing of what may change', async () => {
    const { store, copy, authority } = tierOf()
    copy.writeFault = 'fails'
    await store.commit({ changes: tagChanges('name', 'v', 'one') })
    await store.idle()
    copy.asked = []
    authority.fault = 'fails'
    await assert.rejects(store.get(inRepository('name', within.tagCurrent('v'))), /told to fail/)
    assert.deepEqual(copy.asked, [])
    await store.close()
  })
})

describe('a copy whose bytes are not what they should be', () => {
  for (const [what, damage] of [
    ['cut off', (data: Uint8Array) => data.slice(0, 1_000_000)],
    ['empty', () => new Uint8Array()],
    ['other bytes', (data: Uint8Array) => data.map((byte) => byte ^ 1)],
  ] as const) {
    it(`gives a blob to nobody as a whole, and has it anew: ${what}`, async () => {
      const { store, inside, authority } = tierOf()
      const { path } = await pushBlob(store, LAYER)
      await store.idle()
      await inside.copy.commit({ changes: [{ put: path, data: damage(LAYER) }] })
      await assert.rejects(collect(store.read(path)), DigestMismatchError)
      assert.equal(store.away, undefined)
      assert.deepEqual(await collect(store.read(path)), bytes(LAYER))
      await store.idle()
      assert.deepEqual(await collect(inside.copy.read(path)), bytes(LAYER))
      authority.asked = []
      assert.deepEqual(await collect(store.read(path)), bytes(LAYER))
      assert.deepEqual(authority.asked.filter((asked) => !asked.endsWith('disco/tier')), [])
      await store.close()
    })
  }

  it('gives no small object at all', async () => {
    const { store, inside } = tierOf()
    const manifest = text('{"a manifest":true}')
    const { path } = await pushBlob(store, manifest)
    await store.idle()
    await inside.copy.commit({ changes: [{ put: path, data: text('{"a manifest":fals') }] })
    assert.deepEqual(bytes(await store.get(path)), manifest)
    await store.idle()
    assert.deepEqual(bytes(await inside.copy.get(path)), manifest)
    await store.close()
  })

  it('is not asked again where nothing is written, nor where the authority has it no more', async () => {
    const { store, inside } = tierOf()
    const { path } = await pushBlob(store, LAYER)
    await store.idle()
    await inside.copy.commit({ changes: [{ put: path, data: text('wrong') }] })
    const reader = tierOf({ left: inside, readonly: true })
    await assert.rejects(collect(reader.store.read(path)), DigestMismatchError)
    assert.deepEqual(await collect(reader.store.read(path)), bytes(LAYER))
    assert.deepEqual(await collect(inside.copy.read(path)), text('wrong'))
    await inside.authority.commit(LOST)
    await assert.rejects(collect(store.read(path)), DigestMismatchError)
    await store.idle()
    await assert.rejects(collect(store.read(path)), ObjectUnknownError)
    await reader.store.close()
    await store.close()
  })
})

describe('a copy that is filled', () => {
  it('has the manifests of a repository with it, which may be read from memory for good', async () => {
    const { store, inside } = tierOf()
    const { path, digest } = await pushBlob(store, text('a manifest'))
    await store.commit({ changes: imageChanges(digest) })
    await store.idle()
    await inside.copy.commit(LOST)
    assert.ok(await store.get(LATEST))
    await store.idle()
    assert.deepEqual(bytes(await inside.copy.get(path)), text('a manifest'))
    assert.deepEqual(await inside.authority.list('disco/tier'), [])
    await store.close()
  })

  it('and loses it at once keeps nobody waiting', { timeout: 20_000 }, async () => {
    const { store, inside } = tierOf({ copy: new MemoryStore({ maxBytes: 3_500_000, mayGo: (path) => path.includes('/blobs/') }) })
    const all = await Promise.all([1, 2, 3].map((seed) => pushBlob(store, fill(2_000_000 + seed, seed), `upload-${seed}`)))
    for (let round = 0; round < 10; round++) {
      await Promise.all([...all, ...all].map(async ({ path }, i) => assert.ok((await collect(store.read(path))).equals(fill(2_000_000 + (i % 3) + 1, (i % 3) + 1)))))
      await inside.copy.commit(LOST)
    }
    await store.idle()
    assert.equal(store.away, undefined)
    await store.close()
  })

  it('and takes ages keeps no commit waiting for ever', { timeout: 60_000 }, async () => {
    const { store, copy, inside } = tierOf()
    const { promise: go, resolve } = Promise.withResolvers<void>()
    copy.beforeCommit = () => go
    const begun = performance.now()
    const commits = Promise.all(Array.from({ length: 100 }, (_, i) => store.commit({ changes: tagChanges('name', `v${i}`, 'one') })))
    await commits
    assert.ok(performance.now() - begun > 5000, 'who is quicker than the copy waits a little')
    assert.ok(performance.now() - begun < 15_000)
    resolve()
    await store.idle()
    await until(async () => store.pay().catch(() => false))
    assert.equal((await inside.copy.list(inRepository('name', within.tags))).length, 100)
    await store.close()
  })
})

it('a copy that has gone is looked at before a commit that it must take changes anything', async () => {
  const { store, copy, inside } = tierOf({ first: 'authority', strict: true })
  copy.fault = 'fails'
  await assert.rejects(store.commit({ changes: tagChanges('name', 'v', 'one') }), /takes no changes/)
  assert.deepEqual(await inside.authority.list(''), [])
  assert.equal(await store.stat(blobData(digestOf(LAYER))).catch(() => 'fails'), undefined)
  await store.close()
})

describe('a tier, of whose two one is amiss', () => {
  it('says the size of what is cut off in the copy as it is, and puts it right', async () => {
    const { store, inside } = tierOf()
    const { path } = await pushBlob(store, LAYER)
    await store.idle()
    await inside.copy.commit({ changes: [{ delete: path }, { put: path, data: LAYER.subarray(0, 100) }] })
    const later = tierOf({ left: inside })
    assert.equal((await later.store.stat(path))?.size, LAYER.byteLength)
    assert.deepEqual(await collect(later.store.read(path)), bytes(LAYER))
    await until(async () => (await inside.copy.stat(path))?.size === LAYER.byteLength)
    await until(() => later.store.hasInCopy(path))
    await later.store.close()
    await store.close()
  })

  it('sends nobody to what is cut off', async () => {
    const { store, inside } = tierOf()
    const { path } = await pushBlob(store, LAYER)
    await store.idle()
    await inside.copy.commit({ changes: [{ delete: path }, { put: path, data: new Uint8Array() }] })
    const later = tierOf({ left: inside, readonly: true })
    assert.equal(await later.store.hasInCopy(path), false)
    await later.store.close()
    await store.close()
  })

  it('waits for an authority that fails once, and not for each thing', async () => {
    const { store, authority, copy } = tierOf({ first: 'authority' })
    const { path, digest } = await pushBlob(store, LAYER)
    await store.commit({ changes: imageChanges(digest) })
    await store.idle()
    await store.list('docker')
    await store.stat(blobData(digestOf(text('nobody has it'))))
    authority.fault = 'fails'
    authority.asked = []
    copy.asked = []
    for (let i = 0; i < 5; i++) {
      assert.ok(await store.get(LATEST))
      assert.equal((await store.stat(path))?.size, LAYER.byteLength)
      assert.deepEqual(await collect(store.read(path)), bytes(LAYER))
    }
    assert.deepEqual(authority.asked, [`get ${LATEST}`])
    authority.fault = undefined
    await store.close()
  })
})
