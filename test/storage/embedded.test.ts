import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EmbeddedStore } from '../../src/storage/embedded/store.ts'
import { objectStoreContract } from '../contract/object-store.ts'

objectStoreContract('EmbeddedStore', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'disco-store-'))
  let store = await EmbeddedStore.open(directory)
  const others: EmbeddedStore[] = []
  return {
    store,
    reopen: async () => {
      await store.close()
      store = await EmbeddedStore.open(directory)
      return store
    },
    again: async () => {
      const other = await EmbeddedStore.open(directory)
      others.push(other)
      return other
    },
    files: async () => {
      while (store.database.get('SELECT 1 FROM doomed') !== undefined) await sleep(5)
      const entries = await readdir(join(directory, 'blobs'), { recursive: true, withFileTypes: true })
      return entries.filter((entry) => entry.isFile()).length
    },
    close: async () => {
      for (const each of [store, ...others]) await each.close()
      await rm(directory, { recursive: true })
    },
  }
})
