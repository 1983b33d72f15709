import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EmbeddedDagIndex } from '../../src/ipfs/embedded/dag-index.ts'
import { EmbeddedStore } from '../../src/storage/embedded/store.ts'

export interface IndexedStore {
  readonly store: EmbeddedStore
  readonly index: EmbeddedDagIndex
}

/** An embedded store and its index in a directory of their own, gone after the test. */
export async function openIndexed(test: { after(close: () => Promise<void>): void }): Promise<IndexedStore> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-dag-'))
  const store = await EmbeddedStore.open(directory)
  test.after(async () => {
    await store.close()
    await rm(directory, { recursive: true })
  })
  return { store, index: await EmbeddedDagIndex.open(store.database, store) }
}
