import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { digestOf } from '../../src/oci/digest.ts'
import { blobData, inRepository, within } from '../../src/registry/paths.ts'
import { ObjectUnknownError, StorageFailedError } from '../../src/storage/errors.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { bytes, collect, fill, text } from '../contract/bytes.ts'
import { CID, imageChanges, pushBlob, tagChanges, tierOf } from './tier-scene.ts'

const LAYER = fill(3_000_000)
const LATEST = inRepository(CID, within.tagCurrent('latest'))
/** Milliseconds within which everything is answered, whatever the copy does. */
const BOUND = 4500

async function timed<T>(work: Promise<T>): Promise<T> {
  const begun = performance.now()
  const result = await work
  assert.ok(performance.now() - begun < BOUND, 'it took too long')
  return result
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 40_000; !(await holds()); await sleep(10)) if (Date.now() > deadline) throw new Error('it did not come to hold')
}

describe('a tier whose copy is asked first', () => {
  it('answers what is fixed without the authority, and what may change by it alone', async () => {
    const { store, authority, copy, inside } = tierOf()
    const { path, digest } = await pushBlob(store, LAYER)
    await store.commit({ changes: [...imageChanges(digest), ...tagChanges('name', 'v1', 'one')] })
    await store.idle()
    authority.asked = []
    assert.equal((await store.stat(path))?.size, LAYER.byteLength)
    assert.deepEqual(authority.asked.filter((what) => !what.endsWith('disco/tier')), [`stat ${path}`], 'whether it is cut off, once')
    authority.asked = []
    assert.equal((await store.stat(path))?.size, LAYER.byteLength)
    assert.deepEqual(await collect(store.read(path)), bytes(LAYER))
    assert.ok(await store.get(LATEST))
    assert.deepEqual(await store.list(inRepository(CID, within.tags)), ['latest'])
    assert.deepEqual(authority.asked.filter((what) => !what.endsWith('disco/tier')), [])
    assert.ok(await store.hasInCopy(path))

    copy.asked = []
    await inside.copy.commit({ changes: tagChanges('name', 'v1', 'stale') })
    assert.deepEqual(bytes(await store.get(inRepository('name', within.tagCurrent('v1')))), text('one'))
    assert.deepEqual(copy.asked, [])
    await store.close()
  })

  it('has nothing of its own in the copy, and no note for long', async () => {
    const { store, inside } = tierOf()
    await store.commit({ changes: [{ put: 'disco/own', data: text('x') }, ...tagChanges('a', 'b', 'c')] })
    await store.idle()
    assert.deepEqual(await inside.copy.list('disco'), [])
    assert.deepEqual(await inside.authority.list('disco'), ['own'])
    await store.close()
  })

  for (const fault of ['fails', 'hangs'] as const) {
    it(`goes on at once with a copy that ${fault}, and brings it in line once it is back`, async () => {
      const { store, copy, inside } = tierOf()
      const first = await pushBlob(store, LAYER)
      await store.idle()
      copy.fault = fault
      assert.deepEqual(await timed(collect(store.read(first.path))), bytes(LAYER))
      assert.ok(store.away !== undefined)
      await assert.rejects(timed(store.probe().then(() => undefined)), /told to fail|no answer/)
      const other = fill(100_000, 7)
      const second = await timed(pushBlob(store, other, 'second'))
      await timed(store.commit({ changes: imageChanges(second.digest) }))
      const begun = performance.now()
      for (let i = 0; i < 50; i++) {
        assert.deepEqual(await collect(store.read(second.path)), bytes(other))
        assert.equal((await store.stat(first.path))?.size, LAYER.byteLength)
        assert.ok(await store.get(LATEST))
        assert.equal(await store.get(inRepository(CID, 'absent')), undefined)
        assert.equal(await store.hasInCopy(first.path), false)
      }
      assert.ok(performance.now() - begun < 1000, 'it waited for what is away')
      assert.equal(await inside.copy.stat(second.path), undefined)

      copy.fault = undefined
      store.start()
      await until(async () => (await inside.copy.get(LATEST)) !== undefined && (await inside.copy.stat(second.path)) !== undefined)
      await until(async () => (await inside.authority.list('disco/tier')).length === 0)
      await until(() => store.away === undefined)
      await store.close()
    })
  }

  it('passes over a copy that breaks or stops in the middle of a stream', async () => {
    for (const breaksBy of ['fails', 'hangs'] as const) {
      const { store, copy } = tierOf()
      const { path } = await pushBlob(store, LAYER)
      await store.idle()
      Object.assign(copy, { breakAt: 1_500_000, breaksBy })
      assert.deepEqual(await timed(collect(store.read(path, { start: 17, length: 2_500_000 }))), bytes(LAYER.subarray(17, 2_500_017)))
      await store.close()
    }
  })

  it('is never undone a delete by a copy that was away', async () => {
    const { store, copy, inside } = tierOf()
    const { path, digest } = await pushBlob(store, LAYER)
    await store.commit({ changes: imageChanges(digest) })
    await store.idle()
    copy.writeFault = 'fails'
    await store.commit({ changes: [{ delete: path }, { delete: inRepository(CID, '').slice(0, -1) }] })
    await store.idle()
    assert.ok(await inside.copy.stat(path), 'the copy still has it')
    const isGone = async (tier: typeof store): Promise<void> => {
      assert.equal(await tier.stat(path), undefined)
      assert.equal(await tier.get(LATEST), undefined)
      assert.deepEqual(await tier.list(inRepository(CID, within.tags)), [])
      await assert.rejects(collect(tier.read(path)), ObjectUnknownError)
      assert.equal(await tier.hasInCopy(path), false)
      assert.equal(await tier.restore(path), false)
    }
    await isGone(store)
    await store.close()

    // As after a restart, and as another process has it.
    const later = tierOf({ left: inside })
    await isGone(later.store)
    assert.equal(await later.store.heal(), 0)
    later.store.start()
    await until(async () => (await inside.authority.list('disco/tier')).length === 0)
    await isGone(later.store)
    assert.equal(await inside.copy.stat(path), undefined)
    assert.deepEqual(await inside.copy.list('docker'), [])
    await later.store.close()
  })

  it('is asked for once what the copy lacks, however many want it, and follows the copying', async () => {
    const { store, authority, inside } = tierOf()
    const { path } = await pushBlob(store, LAYER)
    await store.idle()
    await inside.copy.commit({ changes: [{ delete: 'docker' }] })
    authority.asked = []
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => collect(store.read(path, { start: i }))))
    for (const [i, got] of all.entries()) assert.ok(got.equals(LAYER.subarray(i)))
    await store.idle()
    assert.deepEqual(authority.asked.filter((what) => what.startsWith('read')), [`read ${path}`])
    assert.equal((await inside.copy.stat(path))?.size, LAYER.byteLength)
    assert.deepEqual(await inside.authority.list('disco/tier'), [])
    await store.close()
  })

  it('goes on from the authority where the copying that it follows breaks', async () => {
    for (const fault of ['fails', 'hangs'] as const) {
      const { store, copy, inside } = tierOf()
      const { path } = await pushBlob(store, LAYER)
      await store.idle()
      await inside.copy.commit({ changes: [{ delete: 'docker' }] })
      let got = 0
      const chunks: Buffer[] = []
      const begun = performance.now()
      for await (const chunk of store.read(path)) {
        chunks.push(Buffer.from(chunk))
        got += chunk.byteLength
        if (got > 0) copy.fault = fault
      }
      assert.ok(performance.now() - begun < 2 * BOUND)
      assert.ok(Buffer.concat(chunks).equals(LAYER))
      await store.close()
    }
  })

  it('copies a repository whole, what reveals it last', async () => {
    const { store, copy, inside } = tierOf()
    const digest = digestOf(text('image'))
    await store.commit({ changes: imageChanges(digest) })
    await store.idle()
    await inside.copy.commit({ changes: [{ delete: 'docker' }] })
    const commits: (readonly string[])[] = []
    copy.beforeCommit = async ({ changes = [] }) => void commits.push(changes.map((change) => ('put' in change ? change.put : `-${change.delete}`)))
    assert.ok(await store.get(inRepository(CID, within.discoFile)))
    await store.idle()
    assert.equal(commits.length, 1)
    assert.equal(commits[0]?.length, 5)
    assert.equal(commits[0]?.at(-1), LATEST)
    await store.close()
  })

  it('keeps nothing that is not what its digest says, and serves what the copy has wrong to nobody\'s authority', async () => {
    const { store, inside } = tierOf()
    const path = blobData(digestOf(text('right')))
    await inside.copy.commit({ changes: [{ put: path, data: text('wrong') }] })
    assert.equal(await store.restore(path), false)
    assert.equal(await inside.authority.stat(path), undefined)
    await inside.copy.commit({ changes: [{ delete: path }] })
    await inside.authority.commit({ changes: [{ put: path, data: text('wrong') }] })
    await store.stat(path)
    await store.idle()
    assert.equal(await inside.copy.stat(path), undefined)
    await store.close()
  })

  it('writes nothing to heal when it is read-only', async () => {
    const { store, authority, copy, inside } = tierOf({ readonly: true })
    await inside.authority.commit({ changes: [{ put: blobData(digestOf(text('a'))), data: text('a') }] })
    await inside.copy.commit({ changes: [{ put: blobData(digestOf(text('b'))), data: text('b') }] })
    for (const value of ['a', 'b']) {
      const path = blobData(digestOf(text(value)))
      assert.deepEqual(await collect(store.read(path)), text(value))
      assert.equal((await store.stat(path))?.size, 1)
      assert.equal(await store.restore(path), false)
    }
    store.start()
    assert.equal(await store.heal(), 0)
    await store.idle()
    await store.stop()
    assert.deepEqual([...authority.asked, ...copy.asked].filter((what) => /^(?:commit|create|append|remove)/.test(what)), [])
    await store.close()
  })

  it('ends with the signal, also when the copy hangs', async () => {
    const { store, copy } = tierOf()
    const { path } = await pushBlob(store, LAYER)
    await store.idle()
    copy.fault = 'hangs'
    for (const work of [
      (signal: AbortSignal) => store.stat(path, { signal }),
      (signal: AbortSignal) => collect(store.read(path, { signal })),
      (signal: AbortSignal) => store.hasInCopy(path, { signal }),
    ]) {
      const begun = performance.now()
      await assert.rejects(work(AbortSignal.timeout(50)), { name: 'TimeoutError' })
      assert.ok(performance.now() - begun < 1000)
    }
    assert.equal(store.away, undefined, 'who went says nothing of the copy')
    await store.close()
  })

  it('lets a small cache be small', async () => {
    const { store, inside } = tierOf({ copy: new MemoryStore({ maxBytes: 2_000_000, mayGo: (path) => path.includes('/blobs/') }) })
    const large = await pushBlob(store, LAYER, 'large')
    const small = await Promise.all([1, 2, 3].map((seed) => pushBlob(store, fill(900_000, seed), `small-${seed}`)))
    await store.commit({ changes: imageChanges(large.digest) })
    await store.idle()
    assert.equal(store.away, undefined)
    assert.deepEqual(await inside.authority.list('disco/tier'), [])
    assert.equal(await inside.copy.stat(large.path), undefined)
    assert.ok(await inside.copy.get(LATEST))
    assert.ok((await Promise.all(small.map(({ path }) => inside.copy.stat(path)))).filter((stat) => stat !== undefined).length >= 1)
    for (const { path } of [large, ...small]) assert.ok((await collect(store.read(path))).byteLength > 0)
    await store.close()
  })
})

describe('a tier whose authority is asked first', () => {
  const roles = { first: 'authority', strict: true } as const

  it('has a push fail that the copy does not take, and nothing happens while it is known to be away', async () => {
    const { store, copy, inside } = tierOf(roles)
    const { digest } = await pushBlob(store, LAYER)
    await store.idle()
    assert.deepEqual(await inside.authority.list('disco'), [])
    copy.fault = 'fails'
    await assert.rejects(store.commit({ changes: imageChanges(digest) }), StorageFailedError)
    await assert.rejects(store.commit({ changes: tagChanges('name', 'v1', 'one') }), StorageFailedError)
    assert.equal(await inside.authority.get(inRepository('name', within.tagCurrent('v1'))), undefined)
    copy.fault = undefined
    store.start()
    await until(async () => (await inside.copy.get(LATEST)) !== undefined)
    await until(() => store.away === undefined)
    await store.commit({ changes: tagChanges('name', 'v1', 'one') })
    assert.ok(await inside.copy.get(inRepository('name', within.tagCurrent('v1'))))
    await store.close()
  })

  it('reads from the copy what the authority has lost, or can\'t give', async () => {
    const { store, authority, inside } = tierOf(roles)
    const { path, digest } = await pushBlob(store, LAYER)
    await store.commit({ changes: imageChanges(digest) })
    await store.stat(path)
    await sleep(10)
    authority.fault = 'fails'
    assert.deepEqual(await collect(store.read(path)), bytes(LAYER))
    assert.ok(await store.get(LATEST))
    await assert.rejects(store.get(inRepository(CID, 'absent')), /told to fail/)
    await assert.rejects(store.get(inRepository('name', 'absent')), /told to fail/)
    authority.fault = undefined
    authority.breakAt = 1_000_000
    assert.deepEqual(await collect(store.read(path)), bytes(LAYER))
    await inside.authority.commit({ changes: [{ delete: 'docker' }] })
    assert.equal((await store.stat(path))?.size, LAYER.byteLength)
    assert.equal(await store.get(inRepository(CID, 'absent')), undefined)
    await store.close()
  })

  it('takes over an upload that only the copy has', async () => {
    const { store, inside, copy } = tierOf(roles)
    const digest = digestOf(LAYER)
    const path = blobData(digest)
    await inside.copy.uploads.create('cloned', 'name')
    await inside.copy.uploads.append('cloned', 0, (async function* () { yield LAYER })())
    copy.asked = []
    await store.commit({ uploads: [{ id: 'cloned', path, digest }], changes: imageChanges(digest) })
    for (const side of [inside.authority, inside.copy]) {
      assert.deepEqual(await collect(side.read(path)), bytes(LAYER))
      assert.deepEqual(await side.uploads.list(), [])
    }
    assert.deepEqual(copy.asked.filter((what) => what === 'append'), [])
    await store.close()
  })
})
