import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { uploadPlaces as places } from '../../src/registry/paths.ts'
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
      return entries.filter((entry) => entry.isFile() && !/^\.disco-chunks\.|^commit\.lock$/.test(entry.name)).length
    },
    close: async () => {
      for (const each of [store, ...others]) await each.close()
      await rm(directory, { recursive: true })
    },
  }
})
