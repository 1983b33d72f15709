import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { uploadPlaces as places } from '../../src/registry/paths.ts'
import { StorageFailedError } from '../../src/storage/errors.ts'
import { FilesystemStore } from '../../src/storage/filesystem/store.ts'
import { objectStoreContract } from '../contract/object-store.ts'

objectStoreContract('FilesystemStore', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'disco-tree-'))
  let store = await FilesystemStore.open(directory, { places })
  const others: FilesystemStore[] = []
  return {
    store,
    leavesOnly: true,
    reopen: async () => {
      await store.close()
      store = await FilesystemStore.open(directory, { places })
      return store
    },
    again: async () => {
      const other = await FilesystemStore.open(directory, { places })
      others.push(other)
      return other
    },
    files: async () => {
      while ((await readdir(join(directory, '.disco/tmp'))).length > 0) await sleep(5)
      const entries = await readdir(directory, { recursive: true, withFileTypes: true })
      return entries.filter((entry) => entry.isFile() && !/^\.disco-chunks\.|^commit\.lock$|^reserve$/.test(entry.name)).length
    },
    close: async () => {
      for (const each of [store, ...others]) await each.close()
      await rm(directory, { recursive: true })
    },
  }
})

describe('FilesystemStore', () => {
  it('lets others commit, however many it has to commit itself', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'disco-tree-'))
    const [busy, other] = [await FilesystemStore.open(directory, { places }), await FilesystemStore.open(directory, { places })]
    const put = (path: string) => ({ changes: [{ put: path, data: Buffer.from(path) }] })
    const deadline = Date.now() + 10_000
    const done = new AbortController()
    const working = Promise.all(Array.from({ length: 10 }, async (_, worker) => {
      for (let i = 0; !done.signal.aborted && Date.now() < deadline; i++) await busy.commit(put(`busy/${worker}-${i}`))
    }))
    await other.commit(put('other'))
    done.abort()
    assert.ok(Date.now() < deadline, 'it came after all others')
    await working
    await Promise.all([busy.close(), other.close()])
    await rm(directory, { recursive: true })
  })

  it('says of an object below another that it can\'t be, and goes on', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'disco-tree-'))
    const store = await FilesystemStore.open(directory, { places })
    const data = Buffer.from('x')
    await assert.rejects(store.commit({ changes: [{ put: 'a', data }, { put: 'a/b', data }] }), StorageFailedError)
    await assert.rejects(store.commit({ changes: [{ put: 'c/d', data }, { put: 'c', data }] }), StorageFailedError)
    await store.commit({ changes: [{ put: 'e', data }, { put: 'f', data }] })
    assert.ok((await store.list('')).includes('f'))
    await store.close()
    await rm(directory, { recursive: true })
  })
})
