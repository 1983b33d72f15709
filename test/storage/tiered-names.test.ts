import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { digestOf } from '../../src/oci/digest.ts'
import { inRepository, REPOSITORIES, within } from '../../src/registry/paths.ts'
import type { Change } from '../../src/storage/object-store.ts'
import { text } from '../contract/bytes.ts'
import { objectsOf, same } from '../contract/commits.ts'
import { imageChanges, tagChanges, tierOf, type Tier } from './tier-scene.ts'

const ROLES = [{ first: 'copy' }, { first: 'authority', strict: true }] as const
const SHARED = 'docker/registry/v2'

/** A tag with all that a push writes for it. */
function pushed(name: string, tag: string): Change[] {
  const digest = digestOf(text(`${name}:${tag}`))
  const link = { data: text(`sha256:${digest.hex}`) }
  const paths = [within.layer(digest), within.revision(digest), within.referrer(digest, digest), within.tagIndex(tag, digest), within.tagCurrent(tag)]
  return paths.map((path) => ({ put: inRepository(name, path), ...link }))
}

async function assertSame({ inside }: Tier): Promise<void> {
  assert.ok(same(await objectsOf(inside.copy, SHARED), await objectsOf(inside.authority, SHARED)))
}

for (const roles of ROLES) {
  describe(`names that a copy lacks, ${roles.first} first`, () => {
    it('come back into it, whole or what is lacking of them, and nothing else is touched', async () => {
      const tier = tierOf(roles)
      const { store, inside } = tier
      for (const name of ['one', 'one/below', 'two']) for (const tag of ['v1', 'v2']) await store.commit({ changes: pushed(name, tag) })
      await store.idle()
      await inside.copy.commit({ changes: [{ delete: inRepository('one/below', '').slice(0, -1) }, { delete: inRepository('two', within.tag('v1')) }, { delete: inRepository('two', within.layers) }] })
      // What the authority lacks is not taken from the copy either.
      await inside.authority.commit({ changes: [{ delete: inRepository('one', within.tag('v2')) }] })

      assert.equal(await store.heal(), 2 * 4 + 1 + 2)
      assert.ok(await inside.copy.get(inRepository('one', within.tagCurrent('v2'))))
      await inside.copy.commit({ changes: [{ delete: inRepository('one', within.tag('v2')) }] })
      await assertSame(tier)
      assert.deepEqual(await inside.authority.list('disco/tier'), [])
      assert.equal(await store.heal(), 0)
      await store.close()
    })

    it('come back by themselves, at the start, however many they are', async () => {
      const { store, inside } = tierOf(roles)
      await inside.authority.commit({ changes: Array.from({ length: 1010 }, (_, i) => tagChanges('name', `v${i}`, `${i}`)).flat() })
      await store.close()
      const later = tierOf({ ...roles, left: inside })
      later.store.start()
      const last = inRepository('name', within.tagCurrent('v999'))
      const isDone = async (): Promise<boolean> => (await inside.copy.stat(last)) !== undefined && (await inside.authority.list('disco/tier')).length === 0
      for (let i = 0; i < 600 && !(await isDone()); i++) await sleep(50)
      await later.store.close()
      await assertSame(later)
    })

    it('are left alone by who writes nothing, and while the copy is away', async () => {
      const { store, inside, copy } = tierOf(roles)
      await store.commit({ changes: pushed('name', 'v1') })
      await store.idle()
      await inside.copy.commit({ changes: [{ delete: 'docker' }] })
      const reader = tierOf({ ...roles, readonly: true, left: inside })
      assert.equal(await reader.store.heal(), 0)
      assert.deepEqual(await inside.copy.list(REPOSITORIES), [])
      await reader.store.close()

      await store.commit({ changes: pushed('other', 'v1') })
      await store.idle()
      await inside.copy.commit({ changes: [{ delete: 'docker' }] })
      copy.writeFault = 'fails'
      await assert.rejects(store.heal(), /left alone/)
      assert.equal((await inside.authority.list('disco/tier')).length, 1)
      await store.close()
    })

    it('come back as the authority has them, whoever deletes, moves and pushes meanwhile', async () => {
      for (let round = 0; round < 5; round++) {
        const one = tierOf(roles)
        const two = tierOf({ ...roles, left: one.inside })
        const tags = Array.from({ length: 12 }, (_, i) => `v${i}`)
        for (const tag of tags) await one.store.commit({ changes: pushed('name', tag) })
        await one.store.idle()
        await one.inside.copy.commit({ changes: [{ delete: 'docker' }] })
        for (const tier of [one, two]) tier.copy.beforeCommit = () => sleep(Math.random() * 5)
        await Promise.all([
          one.store.heal(),
          ...tags.map(async (tag, i) => {
            await sleep(Math.random() * 10)
            const { store } = i % 2 === 0 ? one : two
            if (i % 3 === 0) await store.commit({ changes: [{ delete: inRepository('name', within.tag(tag)) }] })
            if (i % 3 === 1) await store.commit({ changes: tagChanges('name', tag, 'moved') })
          }),
        ])
        for (const { store } of [one, two]) await store.idle()
        assert.deepEqual(await one.inside.authority.list('disco/tier'), [])
        await assertSame(one)
        for (const { store } of [one, two]) await store.close()
      }
    })
  })
}

describe('a cache that was emptied', () => {
  it('gives names back that were there before, once it has them again', async () => {
    const { store, inside } = tierOf()
    await store.commit({ changes: [...pushed('name', 'v1'), ...imageChanges(digestOf(text('image')))] })
    await store.commit({ changes: pushed('name', 'gone') })
    await store.idle()
    await inside.copy.commit({ changes: [{ delete: 'docker' }] })
    await store.commit({ changes: [...pushed('name', 'v2'), { delete: inRepository('name', within.tag('gone')) }] })
    await store.heal()
    await inside.authority.commit({ changes: [{ delete: inRepository('name', '').slice(0, -1) }] })
    await store.heal()
    assert.deepEqual(await inside.authority.list(inRepository('name', within.tags)), ['v1', 'v2'])
    await store.close()
  })
})
