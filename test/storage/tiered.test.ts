import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { uploadPlaces } from '../../src/registry/paths.ts'
import { FilesystemStore } from '../../src/storage/filesystem/store.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { TieredStore, type TieredStoreParts } from '../../src/storage/tiered/store.ts'
import { objectStoreContract } from '../contract/object-store.ts'
import { belowStore } from '../e2e/kubo/below-store.ts'
import { allFixed } from './tiered-places.ts'

const log = pino({ level: 'silent' })
const ROOT = 'shared'
const below = (store: TieredStore): ReturnType<typeof belowStore> => belowStore(store, ROOT)

// As a cache in front of IPFS, and as replicas on a bucket have it.
for (const { first, strict, disk } of [{ first: 'copy', strict: false, disk: 'copy' }, { first: 'authority', strict: true, disk: 'authority' }] as const) {
  const roles: Pick<TieredStoreParts, 'places' | 'first' | 'strict' | 'log'> = { places: allFixed(ROOT), first, strict, log }
  const name = `${first} first${strict ? ', strict' : ''}`

  objectStoreContract(`TieredStore, memory and memory, ${name}`, async () => {
    const [authority, copy] = [new MemoryStore(), new MemoryStore()]
    const all: TieredStore[] = []
    const again = async (): Promise<TieredStore> => {
      const store = new TieredStore({ authority, copy, ...roles })
      all.push(store)
      return store
    }
    return {
      store: below(await again()),
      again: async () => below(await again()),
      close: async () => {
        for (const store of all) await store.close()
      },
    }
  })

  objectStoreContract(`TieredStore, filesystem as the ${disk} and memory, ${name}`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'disco-tier-'))
    const memory = new MemoryStore()
    const opened: { readonly store: TieredStore; readonly tree: FilesystemStore }[] = []
    const open = async (): Promise<ReturnType<typeof below>> => {
      const tree = await FilesystemStore.open(directory, { places: uploadPlaces })
      const store = new TieredStore({ authority: disk === 'authority' ? tree : memory, copy: disk === 'copy' ? tree : memory, ...roles })
      opened.push({ store, tree })
      return below(store)
    }
    const close = async (): Promise<void> => {
      for (const { store, tree } of opened.splice(0)) {
        await store.close()
        await tree.close()
      }
    }
    return {
      store: await open(),
      leavesOnly: true,
      again: open,
      reopen: async () => {
        await close()
        return open()
      },
      close: async () => {
        await close()
        await rm(directory, { recursive: true })
      },
    }
  })
}
