import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digestOf, formatDigest } from '../../src/oci/digest.ts'
import { inRepository, within } from '../../src/registry/paths.ts'
import { bytes, collect, text } from '../contract/bytes.ts'
import { objectsOf, same } from '../contract/commits.ts'
import { CID, discoFile, imageChanges, tierOf, type Tier } from './tier-scene.ts'

const DIGEST = digestOf(text('an image'))
const OTHER = digestOf(text('another'))
const NAMES = [CID, DIGEST.hex]
const REPOSITORIES = 'docker/registry/v2/repositories'
const LINKS = [within.tagCurrent('latest'), within.tagIndex('latest', DIGEST), within.revision(DIGEST), within.layer(DIGEST)]
const WRONG: readonly (readonly [string, Uint8Array])[] = [
  ['another\'s', text(formatDigest(OTHER))],
  ['empty', new Uint8Array()],
  ['cut off', text(formatDigest(DIGEST).slice(0, 40))],
  ['a path', text('../../etc/passwd')],
  ['with a newline', text(`${formatDigest(DIGEST)}\n`)],
  ['large', new Uint8Array(4_000_000).fill(97)],
]

async function pushed(options: Parameters<typeof tierOf>[0] = {}): Promise<Tier> {
  const tier = tierOf(options)
  await tier.store.commit({ changes: NAMES.flatMap((name) => imageChanges(DIGEST, name)) })
  await tier.store.idle()
  return tier
}

describe('a link that is not what its path says', () => {
  for (const [what, wrong] of WRONG) {
    it(`is none in the copy, and is put right: ${what}`, async () => {
      const { store, inside } = await pushed()
      for (const path of NAMES.flatMap((name) => LINKS.map((link) => inRepository(name, link)))) {
        for (const look of [() => store.get(path), () => collect(store.read(path))]) {
          await inside.copy.commit({ changes: [{ put: path, data: wrong }] })
          assert.equal((await store.stat(path))?.size, 71)
          assert.ok(text(formatDigest(DIGEST)).equals(bytes(await look())), path)
          await store.idle()
          assert.ok(text(formatDigest(DIGEST)).equals(bytes(await inside.copy.get(path))), `${path} in the copy`)
        }
      }
      await store.close()
    })

    it(`is nowhere, where nobody else has it, and does not come back: ${what}`, async () => {
      for (const link of LINKS) {
        const { store, inside } = await pushed()
        await inside.authority.commit({ changes: [{ delete: 'docker' }] })
        const changes = NAMES.map((name) => ({ put: inRepository(name, link), data: wrong }))
        await inside.copy.commit({ changes })
        for (const { put } of changes) {
          assert.ok((await store.get(put)) === undefined)
          assert.equal(await store.stat(put), undefined)
          assert.equal(await store.restore(put), false)
        }
        assert.equal(await store.heal(), 0)
        assert.deepEqual(await inside.authority.list('docker'), [])
        // The next push makes it whole.
        await store.commit({ changes: NAMES.flatMap((name) => imageChanges(DIGEST, name)) })
        await store.idle()
        assert.ok(same(await objectsOf(inside.copy, REPOSITORIES), await objectsOf(inside.authority, REPOSITORIES)))
        await store.close()
      }
    })
  }

  it('is not looked at beyond what a link has', async () => {
    const { store, inside } = await pushed()
    const path = inRepository(CID, LINKS[0] ?? '')
    await inside.copy.commit({ changes: [{ put: path, data: new Uint8Array(1_000_000).fill(97) }] })
    let read = 0
    const { copy } = inside
    const all = copy.read.bind(copy)
    copy.read = async function* (...args): AsyncGenerator<Uint8Array, void, void> {
      for await (const chunk of all(...args)) {
        if (args[0] === path) read += chunk.byteLength
        yield chunk
      }
    }
    copy.get = async () => assert.fail('read as a whole')
    assert.ok(text(formatDigest(DIGEST)).equals(bytes(await store.get(path))))
    assert.ok(read > 0 && read <= 201, `${read} bytes`)
    await store.close()
  })

  it('is none either in what the authority has lost a part of', async () => {
    const { store, inside } = await pushed()
    const latest = inRepository(CID, within.tagCurrent('latest'))
    await inside.authority.commit({ changes: [{ delete: latest }] })
    // What the copy says agrees with itself.
    await inside.copy.commit({ changes: [{ put: inRepository(CID, within.discoFile), data: discoFile(OTHER) }, { put: latest, data: text(formatDigest(OTHER)) }] })
    assert.equal(await store.restore(latest), false)
    assert.equal(await inside.authority.get(latest), undefined)
    await store.close()
  })
})

describe('a disco.json that is none', () => {
  it('is none in the copy, nor proves it anything, and is put right', async () => {
    for (const wrong of [new Uint8Array(), text('{"blobs":'), text('{"blobs":[]}')]) {
      const { store, inside } = await pushed()
      const path = inRepository(CID, within.discoFile)
      for (const asked of [path, inRepository(CID, within.tagCurrent('latest'))]) {
        await inside.copy.commit({ changes: [{ put: path, data: wrong }, { put: inRepository(CID, within.tagCurrent('latest')), data: text(formatDigest(OTHER)) }] })
        const right = await inside.authority.get(asked)
        assert.deepEqual(bytes(await store.get(asked)), bytes(right))
        await store.idle()
        assert.ok(same(await objectsOf(inside.copy, REPOSITORIES), await objectsOf(inside.authority, REPOSITORIES)))
      }
      await inside.copy.commit({ changes: [{ put: path, data: wrong }] })
      await inside.authority.commit({ changes: [{ delete: 'docker' }] })
      assert.equal(await store.restore(path), false)
      assert.deepEqual(await inside.authority.list('docker'), [])
      await store.close()
    }
  })
})

describe('a tier that asks its authority first', () => {
  it('does not believe the copy either, when the authority has lost it', async () => {
    const { store, inside } = await pushed({ first: 'authority', strict: true })
    const path = inRepository(DIGEST.hex, within.tagCurrent('latest'))
    await inside.authority.commit({ changes: [{ delete: 'docker' }] })
    assert.ok(text(formatDigest(DIGEST)).equals(bytes(await store.get(path))))
    await inside.copy.commit({ changes: [{ put: path, data: text(formatDigest(OTHER)) }] })
    assert.equal(await store.get(path), undefined)
    assert.equal(await store.restore(path), false)
    await store.close()
  })
})
