import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openWithOwnNode, type OwnStorage } from '../../src/assembly/own-node.ts'
import { cidOf, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { StorageFailedError } from '../../src/storage/errors.ts'
import { CHUNK_SIZE } from '../../src/storage/object-store.ts'
import { fill } from '../contract/bytes.ts'
import { dagIndexContract } from '../contract/dag-index.ts'

interface Test {
  after(close: () => Promise<void>): void
}

async function openBuilt(test: Test, kind: 'filesystem' | 'memory'): Promise<OwnStorage> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-apart-'))
  const storage = await openWithOwnNode({
    data: directory,
    storageFilesystem: kind === 'filesystem' ? join(directory, 'tree') : undefined,
    storageInmemory: kind === 'memory',
    readonly: false,
  })
  test.after(async () => {
    await storage.close()
    await rm(directory, { recursive: true, force: true })
  })
  return storage
}

for (const kind of ['filesystem', 'memory'] as const) {
  describe(`DAG index beside a ${kind} store`, () => {
    dagIndexContract((test) => openBuilt(test, kind))

    it('never gives what others have put in the place of an object, also to who would verify it', async (t) => {
      const { store, index } = await openBuilt(t, kind)
      const [before, after] = [fill(CHUNK_SIZE + 5), Buffer.alloc(CHUNK_SIZE + 5, 1)]
      await store.commit({ changes: [{ put: 'o', data: before }] })
      await index.file('o')
      await store.commit({ changes: [{ put: 'o', data: after }] })
      const chunk = cidOf(RAW, sha256(before.subarray(0, CHUNK_SIZE)))
      for (const verify of [true, false]) await assert.rejects(index.blocks.get(chunk, { verify }), StorageFailedError)
    })
  })
}

