import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { digestOf } from '../../src/oci/digest.ts'
import { blobData, inRepository, within } from '../../src/registry/paths.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { fill, text } from '../contract/bytes.ts'
import { objectsOf, same } from '../contract/commits.ts'
import { Life } from './faulty-store.ts'
import { CID, imageChanges, pushBlob, tagChanges, tierOf, type Tier } from './tier-scene.ts'

const OLD = fill(2_000_000, 3)
const NEW = fill(1_500_000, 4)
const SHARED = 'docker/registry/v2'

/** What the two have in common, as it is looked for at what the next commit needs. */
async function repair(left: Tier['inside'], first: 'copy' | 'authority'): Promise<void> {
  const tier = tierOf({ left, first, strict: first === 'authority', patience: 100 })
  for (const deadline = Date.now() + 10_000; !(await tier.store.pay()) && Date.now() < deadline;) await sleep(10)
  await tier.store.close()
}

/** What an object is to whoever asks. */
async function seen(store: ObjectStore, path: string): Promise<string> {
  const data = await store.get(path)
  return data === undefined ? 'nothing' : digestOf(data).hex
}

describe('a tier that is cut off', () => {
  for (const first of ['copy', 'authority'] as const) {
    for (const reached of [false, true]) {
      it(`between any two steps, comes to be one again, and is never wrong: ${first} first, the last step ${reached ? 'done' : 'not done'}`, async () => {
        const [old, fresh] = [digestOf(OLD), digestOf(NEW)]
        const paths = [blobData(old), blobData(fresh), inRepository(CID, within.tagCurrent('latest')), inRepository('name', within.tagCurrent('v'))]
        let cuts = 0
        for (let last = 1; ; last++) {
          const tier = tierOf({ first, strict: first === 'authority', patience: 5000 })
          const { store, inside } = tier
          await pushBlob(store, OLD, 'old')
          await store.commit({ changes: tagChanges('name', 'v', 'old') })
          await store.idle()
          const life = new Life(last, reached)
          tier.authority.life = life
          tier.copy.life = life
          try {
            await pushBlob(store, NEW, 'new')
            await store.commit({ changes: [...imageChanges(fresh), ...tagChanges('name', 'v', 'new')] })
            await store.commit({ changes: [{ delete: blobData(old) }] })
          } catch {}
          await store.idle()
          await store.close()
          const wanted = await Promise.all(paths.map((path) => seen(inside.authority, path)))

          // At once, as another process has it: the authority's word counts for all, also where the copy is not in line yet.
          const other = tierOf({ left: inside, first, readonly: true })
          assert.deepEqual(await Promise.all(paths.map((path) => seen(other.store, path))), wanted, `cut off at ${last}`)
          await other.store.close()

          await repair(inside, first)
          assert.deepEqual(await inside.authority.list('disco/tier'), [], `cut off at ${last}`)
          const [ours, theirs] = [await objectsOf(inside.authority, SHARED), await objectsOf(inside.copy, SHARED)]
          assert.ok(same(ours, theirs), `cut off at ${last}: ${[...ours.keys()].join(' ')} / ${[...theirs.keys()].join(' ')}`)
          if (!life.over) break
          cuts++
        }
        assert.ok(cuts > 8, String(cuts))
      })
    }
  }

  it('heals what fills a copy that is cut off', async () => {
    for (let last = 1, over = true; over; last++) {
      const tier = tierOf()
      const { path } = await pushBlob(tier.store, OLD)
      await tier.store.idle()
      await tier.inside.copy.commit({ changes: [{ delete: 'docker' }] })
      const life = new Life(last)
      tier.authority.life = life
      tier.copy.life = life
      await tier.store.stat(path).catch(() => {})
      await tier.store.idle()
      await tier.store.close()
      over = life.over
      // Deleted by one that knows of nothing.
      const other = tierOf({ left: tier.inside })
      await other.store.commit({ changes: [{ delete: path }] })
      await other.store.idle()
      await repair(tier.inside, 'copy')
      assert.equal(await other.store.stat(path), undefined)
      assert.equal(await tier.inside.copy.stat(path), undefined)
      await other.store.close()
    }
  })

  it('forbids what it has put into the copy while it was deleted, and did not live to take away again', async () => {
    const tier = tierOf()
    const { path } = await pushBlob(tier.store, OLD)
    await tier.store.idle()
    await tier.inside.copy.commit({ changes: [{ delete: 'docker' }] })
    const other = tierOf({ left: tier.inside })
    // The note, the upload, its bytes, its commit: the last that it does.
    const life = new Life(4, true)
    tier.authority.life = life
    tier.copy.life = life
    tier.copy.beforeCommit = async () => {
      await other.store.commit({ changes: [{ delete: path }] })
      await other.store.idle()
    }
    await tier.store.stat(path)
    await tier.store.idle()
    await tier.store.close()
    assert.ok(await tier.inside.copy.stat(path), 'it came too late')
    assert.equal(await other.store.stat(path), undefined)
    assert.equal(await other.store.restore(path), false)
    await repair(tier.inside, 'copy')
    assert.equal(await tier.inside.copy.stat(path), undefined)
    await other.store.close()
  })

  it('has no note that says nothing: what can\'t be read forbids all', async () => {
    const { store, inside } = tierOf()
    const { path } = await pushBlob(store, OLD)
    await store.idle()
    await inside.authority.commit({ changes: [{ put: 'disco/tier/odd', data: text('{') }, { delete: path }] })
    assert.equal(await store.stat(path), undefined)
    await store.close()
  })
})
