import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digestOf } from '../../src/oci/digest.ts'
import { StorageFailedError } from '../../src/storage/errors.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { fill } from '../contract/bytes.ts'
import { objectStoreContract } from '../contract/object-store.ts'

objectStoreContract('MemoryStore', async () => ({ store: new MemoryStore(), close: async () => {} }))

describe('MemoryStore with bounds', () => {
  const put = (store: MemoryStore, path: string, size: number): Promise<void> => store.commit({ changes: [{ put: path, data: new Uint8Array(size) }] })

  it('lets go what was used the longest ago, and nothing that may not go', async () => {
    const store = new MemoryStore({ maxBytes: 1000, mayGo: (path) => path.startsWith('blobs/') })
    await put(store, 'links/a', 100)
    for (const name of ['a', 'b', 'c']) await put(store, `blobs/${name}`, 300)
    assert.ok(await store.get('blobs/a'))
    await put(store, 'blobs/d', 300)
    assert.deepEqual(await store.list('blobs'), ['a', 'c', 'd'])
    await put(store, 'links/b', 600)
    assert.deepEqual(await store.list('blobs'), ['d'])
    assert.deepEqual(await store.list('links'), ['a', 'b'])
    await store.commit({ changes: [{ delete: 'links' }, { delete: 'blobs/d' }] })
    for (const name of ['e', 'f', 'g']) await put(store, `blobs/${name}`, 300)
    await put(store, 'blobs/e', 400)
    assert.deepEqual(await store.list('blobs'), ['e', 'f', 'g'])
    await put(store, 'blobs/e', 401)
    assert.deepEqual(await store.list('blobs'), ['e', 'g'])
  })

  it('counts blobs that came as uploads, and refuses what does not fit at all', async () => {
    const store = new MemoryStore({ maxBytes: 1000 })
    for (const [id, size] of [['a', 600], ['b', 500]] as const) {
      const data = fill(size)
      await store.uploads.create(id, 'r')
      await store.uploads.append(id, 0, (async function* () { yield data })())
      await store.commit({ uploads: [{ id, path: id, digest: digestOf(data) }] })
    }
    assert.deepEqual(await store.list(''), ['b'])
    await store.uploads.create('c', 'r')
    const large = (async function* () { for (let i = 0; i < 11; i++) yield fill(100) })()
    await assert.rejects(store.uploads.append('c', 0, large), (error) => error instanceof StorageFailedError && error.isFull)
  })
})
