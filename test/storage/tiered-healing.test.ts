import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { digestOf } from '../../src/oci/digest.ts'
import { inRepository, within } from '../../src/registry/paths.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { bytes, collect, fill } from '../contract/bytes.ts'
import { objectsOf, same } from '../contract/commits.ts'
import { CID, imageChanges, pushBlob, tagChanges, tierOf } from './tier-scene.ts'

const LAYER = fill(2_000_000)
const SHARED = 'docker/registry/v2'

async function push(store: ObjectStore): Promise<string> {
  const { path, digest } = await pushBlob(store, LAYER)
  await store.commit({ changes: [...imageChanges(digest), ...imageChanges(digest, digest.hex)] })
  await store.commit({ changes: [...tagChanges('name', 'v1', 'one'), ...tagChanges('name', 'v2', 'two'), ...tagChanges('name/below', 'v3', 'three')] })
  return path
}

describe('what one of two stores has lost', () => {
  it('comes back into the authority: blobs, repositories named by what they hold, and names', async () => {
    const { store, inside } = tierOf()
    const path = await push(store)
    await store.idle()
    const before = await objectsOf(inside.authority, SHARED)
    await inside.authority.commit({ changes: [{ delete: 'docker' }] })

    assert.ok(await store.restore(path))
    assert.ok(await store.restore(inRepository(CID, within.discoFile)))
    assert.equal(await store.restore(path), false)
    assert.deepEqual(await collect(inside.authority.read(path)), bytes(LAYER))
    assert.ok(await inside.authority.get(inRepository(CID, within.tagCurrent('latest'))))

    assert.equal(await store.heal(), 3)
    assert.ok(same(await objectsOf(inside.authority, SHARED), before))
    assert.deepEqual(await inside.authority.uploads.list(), [])
    assert.equal(await store.heal(), 0)
    await store.close()
  })

  it('comes back by itself, at the start', async () => {
    const { store, inside } = tierOf()
    await push(store)
    await store.idle()
    await store.close()
    const before = await objectsOf(inside.authority, SHARED)
    await inside.authority.commit({ changes: [{ delete: inRepository(CID, '').slice(0, -1) }] })
    const later = tierOf({ left: inside })
    later.store.start()
    for (let i = 0; i < 500 && !same(await objectsOf(inside.authority, SHARED), before); i++) await sleep(10)
    assert.ok(same(await objectsOf(inside.authority, SHARED), before))
    await later.store.close()
  })

  it('does not come back where something of a name is left, or was deleted', async () => {
    const { store, copy, inside } = tierOf()
    await push(store)
    await store.idle()
    copy.writeFault = 'fails'
    await store.commit({ changes: [{ delete: inRepository('name', within.tag('v1')) }] })
    await store.commit({ changes: [{ delete: inRepository('name/below', '_manifests') }] })
    await store.idle()
    assert.equal(await store.heal(), 0)
    assert.deepEqual(await inside.authority.list(inRepository('name', within.tags)), ['v2'])
    assert.deepEqual(await inside.authority.list(inRepository('name', 'below')), [])
    await store.close()
  })

  it('comes back in the second push of an image whose blobs only the copy has', async () => {
    const { store, inside } = tierOf()
    const path = await push(store)
    await store.idle()
    await inside.authority.commit({ changes: [{ delete: 'docker' }] })
    // What a client asks before it sends anything: it is here.
    assert.ok(await store.stat(path))
    assert.equal(await inside.authority.stat(path), undefined)
    assert.ok(await store.restore(path))
    assert.ok(await inside.authority.stat(path))
    await store.close()
  })

  it('is filled into the copy by those who ask', async () => {
    const { store, inside } = tierOf()
    const path = await push(store)
    await store.idle()
    await inside.copy.commit({ changes: [{ delete: 'docker' }] })
    assert.equal(await store.hasInCopy(path), false)
    assert.ok(await store.get(inRepository(CID, within.discoFile)))
    assert.ok(await store.stat(path))
    await store.idle()
    assert.ok(await store.hasInCopy(path))
    assert.deepEqual(await inside.copy.list(inRepository(CID, within.tags)), ['latest'])
    assert.equal(await inside.copy.get(inRepository('name', within.tagCurrent('v1'))), undefined)
    await store.close()
  })

  it('goes both ways where the copy is more than a cache', async () => {
    const { store, inside } = tierOf({ first: 'authority', strict: true })
    const path = await push(store)
    const before = await objectsOf(inside.authority, SHARED)
    await inside.copy.commit({ changes: [{ delete: path }, { delete: inRepository(CID, '').slice(0, -1) }, { delete: inRepository('name', '_manifests') }] })
    assert.ok(await store.restore(path))
    assert.ok(await inside.copy.stat(path))
    await store.heal()
    await store.idle()
    assert.ok(same(await objectsOf(inside.copy, SHARED), before))
    await store.close()
  })

  it('is not overwritten by what is older, when several processes change the same at once', async () => {
    for (const roles of [{ first: 'copy' }, { first: 'authority', strict: true }] as const) {
      const one = tierOf(roles)
      const two = tierOf({ ...roles, left: one.inside })
      const three = tierOf({ ...roles, left: one.inside })
      // Each comes to the copy when it likes.
      for (const tier of [one, two, three]) tier.copy.beforeCommit = () => sleep(Math.random() * 5)
      const digest = digestOf(LAYER)
      await Promise.all([one, two, three].flatMap(({ store }, process) => Array.from({ length: 10 }, async (_, i) => {
        await store.commit({ changes: [...tagChanges('name', 'shared', `${process}-${i}`), ...tagChanges('name', `own-${process}-${i}`, 'x')] })
        await store.commit(i % 3 === 0 ? { changes: [{ delete: inRepository(CID, '').slice(0, -1) }] } : { changes: imageChanges(digest) })
        if (i % 4 === 0) await store.commit({ changes: [{ delete: inRepository('name', within.tag(`own-${process}-${i}`)) }] })
      })))
      for (const { store } of [one, two, three]) await store.idle()
      const { authority, copy } = one.inside
      assert.deepEqual(await authority.list('disco/tier'), [])
      assert.equal((await authority.list(inRepository('name', within.tags))).length, 3 * 7 + 1)
      const [ours, theirs] = [await objectsOf(authority, SHARED), await objectsOf(copy, SHARED)]
      assert.ok(same(ours, theirs), roles.first)
      assert.deepEqual(await authority.list('disco/turns'), [])
      for (const { store } of [one, two, three]) await store.close()
    }
  })
})
