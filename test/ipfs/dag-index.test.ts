import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { CID } from 'multiformats/cid'
import { BLOCK_TABLES } from '../../src/ipfs/embedded/block-table.ts'
import { EmbeddedDagIndex } from '../../src/ipfs/embedded/dag-index.ts'
import { PROVIDE_TABLES } from '../../src/ipfs/embedded/provide-table.ts'
import { layoutTree } from '../../src/ipfs/unixfs/tree-layout.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { Database } from '../../src/storage/embedded/database.ts'
import { EmbeddedStore } from '../../src/storage/embedded/store.ts'
import { StorageFailedError } from '../../src/storage/errors.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { CHUNK_SIZE } from '../../src/storage/object-store.ts'
import { fill } from '../contract/bytes.ts'
import { dagIndexContract } from '../contract/dag-index.ts'
import { openIndexed } from './indexed-store.ts'

describe('embedded DAG index', () => {
  dagIndexContract(openIndexed)

  it('lays an object out again when what it derived is gone', async (t) => {
    const { index, store } = await openIndexed(t)
    await store.commit({ changes: [{ put: 'a', data: fill(2 * CHUNK_SIZE) }] })
    const root = await index.file('a')
    await store.database.write([{ sql: 'DELETE FROM dag_block' }, { sql: 'DELETE FROM dag_object' }])
    assert.equal(await index.blocks.has(root), false)
    assert.equal((await index.file('a')).toString(), root.toString())
    assert.equal(await index.blocks.has(root), true)
  })

  it('tells roots of images from other blocks in an index of before it did', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'disco-dag-'))
    t.after(() => rm(directory, { recursive: true }))
    const store = new MemoryStore()
    const database = await Database.open(join(directory, 'disco.db'))
    t.after(() => database.close())
    await database.migrate('ipfs', [BLOCK_TABLES + PROVIDE_TABLES])
    const { root, blocks } = layoutTree(new Map([['below/a', fill(9)]]))
    await database.write([
      ...blocks.map(({ cid, bytes }) => ({ sql: 'INSERT INTO dag_block VALUES (?, 0, 0, 0, ?, NULL)', params: [cid.multihash.digest, bytes] })),
      { sql: 'INSERT INTO provide VALUES (?, 0)', params: [root.bytes] },
    ])
    const shownBy = (cid: CID): string => `shows/${cid}`
    const { blocks: reader } = await EmbeddedDagIndex.open(database, store, { shownBy })
    for (const { cid } of blocks) assert.equal(await reader.has(cid), !cid.equals(root))
    await store.commit({ changes: [{ put: shownBy(root), data: fill(1) }] })
    for (const { cid, bytes } of blocks) assert.deepEqual(Buffer.from(await reader.get(cid) ?? []), Buffer.from(bytes))
  })

  it('does not serve what the disk has changed', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'disco-dag-'))
    t.after(() => rm(directory, { recursive: true }))
    const store = await EmbeddedStore.open(directory)
    t.after(() => store.close())
    const index = await EmbeddedDagIndex.open(store.database, store)
    const content = fill(CHUNK_SIZE)
    await store.uploads.create('u', 'r')
    await store.uploads.append('u', 0, (async function* () { yield content.slice() })())
    await store.commit({ uploads: [{ id: 'u', path: 'a', digest: digestOf(content) }] })
    const root = await index.file('a')
    assert.ok((await index.blocks.get(root)) !== undefined)
    for (const entry of await readdir(join(directory, 'blobs'), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const file = join(entry.parentPath, entry.name)
      const bytes = await readFile(file)
      bytes[1000] = (bytes[1000] ?? 0) ^ 1
      await writeFile(file, bytes)
    }
    await assert.rejects(index.blocks.get(root), StorageFailedError)
    // Whoever verifies it himself finds out.
    assert.equal((await index.blocks.get(root, { verify: false }))?.length, CHUNK_SIZE)
    for (const entry of await readdir(join(directory, 'blobs'), { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) await truncate(join(entry.parentPath, entry.name), 1000)
    }
    await assert.rejects(index.blocks.get(root, { verify: false }), StorageFailedError)
  })

  it('remembers what is to be provided, and when it last was', async (t) => {
    const { index } = await openIndexed(t)
    const [a, b] = [await index.addTree(new Map([['a', fill(1)]])), await index.addTree(new Map([['b', fill(2)]]))]
    await index.provide([a, b])
    await index.provide([a])
    assert.equal(index.queue.due(1, 10).length, 2)
    await index.queue.provided(a, 1000)
    await index.provide([a])
    assert.deepEqual(index.queue.due(1000, 10).map(String), [b.toString()])
    assert.deepEqual(index.queue.due(1001, 10).map(String), [b.toString(), a.toString()])
    assert.equal(index.queue.due(1001, 1).length, 1)
    await index.queue.remove(b)
    assert.deepEqual(index.queue.due(2000, 10).map(String), [a.toString()])
  })
})
