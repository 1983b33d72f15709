import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { shownBy } from '../../src/global/repository-tree.ts'
import { EmbeddedDagIndex } from '../../src/ipfs/embedded/dag-index.ts'
import { Database } from '../../src/storage/embedded/database.ts'
import type { ChunkHashes, ObjectStore } from '../../src/storage/object-store.ts'

interface Test {
  after(close: () => Promise<void>): void
}

/** An index that stands apart from a store and knows nothing of it yet; gone after the test. */
export async function openNewIndex(test: Test, store: ObjectStore & ChunkHashes): Promise<EmbeddedDagIndex> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-new-index-'))
  const database = await Database.open(join(directory, 'disco.db'))
  test.after(async () => {
    await database.close()
    await rm(directory, { recursive: true })
  })
  return EmbeddedDagIndex.open(database, store, { apart: true, shownBy })
}
