import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openWithOwnNode, type OwnStorage } from '../../src/assembly/own-node.ts'
import { shownBy } from '../../src/global/repository-tree.ts'
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
    dagIndexContract(async (test) => {
      const storage = await openBuilt(test, kind)
      return { ...storage, show: (root) => storage.store.commit({ changes: [{ put: shownBy(root), data: Buffer.from('link') }] }) }
    })

    it('has the root of an image as long as that is in the store', async (t) => {
      const { store, index } = await openBuilt(t, kind)
      const root = await index.addTree(new Map([['a', fill(3)]]))
      for (let time = 0; time < 2; time++) {
        assert.equal(await index.blocks.has(root), false)
        assert.equal(await index.blocks.get(root.toV0()), undefined)
        await store.commit({ changes: [{ put: shownBy(root), data: Buffer.from('link') }] })
        assert.equal(await index.blocks.has(root.toV0()), true)
        assert.ok((await index.blocks.get(root)) !== undefined)
        await store.commit({ changes: [{ delete: shownBy(root) }] })
      }
    })

    it('says nothing of a root where the store can\'t be asked', async (t) => {
      const { store, index } = await openBuilt(t, kind)
      const root = await index.addTree(new Map([['a', fill(3)]]))
      t.mock.method(store, 'stat', () => Promise.reject(new StorageFailedError('away')))
      await assert.rejects(index.blocks.has(root), /away/)
      await assert.rejects(index.blocks.get(root), /away/)
    })

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

