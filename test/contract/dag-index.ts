import assert from 'node:assert/strict'
import { it } from 'node:test'
import { CID } from 'multiformats/cid'
import type { DagIndex } from '../../src/ipfs/node.ts'
import { cidOf, DAG_PB, RAW, sha256 } from '../../src/ipfs/unixfs/block.ts'
import { chunkHashesOf, chunksOf, layoutFile } from '../../src/ipfs/unixfs/file-layout.ts'
import { layoutTree } from '../../src/ipfs/unixfs/tree-layout.ts'
import { ObjectUnknownError } from '../../src/storage/errors.ts'
import { CHUNK_SIZE, type ObjectStore } from '../../src/storage/object-store.ts'
import { fill } from './bytes.ts'

export interface DagIndexUnderTest {
  readonly index: DagIndex
  readonly store: ObjectStore
  /** Has a tree shown whose blocks are here only then. */
  readonly show?: ((root: CID) => Promise<void>) | undefined
  /** Makes blocks go that belong to nothing any more, where they don't with what they belonged to. */
  readonly collect?: (() => Promise<unknown>) | undefined
}

/** What every DagIndex promises. @param open gives an empty one; closed after the test by whoever made it */
export function dagIndexContract(open: (test: { after(close: () => Promise<void>): void }) => Promise<DagIndexUnderTest>): void {
  const path = 'blobs/one/data'
  const put = async (store: ObjectStore, data: Uint8Array): Promise<void> => store.commit({ changes: [{ put: path, data }] })
  const rootOf = (content: Uint8Array): CID => layoutFile(chunkHashesOf(content), content.length).root

  for (const size of [0, 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE + 5]) {
    it(`serves every block of an object of ${size} bytes`, async (t) => {
      const { index, store } = await open(t)
      const content = fill(size)
      await put(store, content)
      const { root, nodes } = layoutFile(chunkHashesOf(content), size)
      assert.equal((await index.file(path)).toString(), root.toString())
      assert.equal((await index.file(path)).toString(), root.toString())
      const leaves = size === 0 ? [content] : [...chunksOf(content)]
      for (const bytes of leaves) await has(index, cidOf(RAW, sha256(bytes)), bytes)
      for (const { cid, bytes } of nodes) await has(index, cid, bytes)
    })
  }

  it('serves a file that is named before its commit only after it', async (t) => {
    const { index, store, collect } = await open(t)
    const content = fill(CHUNK_SIZE + 9)
    const root = await index.file(path, { content })
    assert.equal(root.toString(), rootOf(content).toString())
    await collect?.()
    await hasNot(index, root)
    await hasNot(index, cidOf(RAW, sha256(content.subarray(CHUNK_SIZE))))
    await put(store, content)
    assert.equal(await index.blocks.has(root), true)
    await has(index, cidOf(RAW, sha256(content.subarray(CHUNK_SIZE))), content.subarray(CHUNK_SIZE))
  })

  it('serves a file as long as its object is there', async (t) => {
    const { index, store, collect } = await open(t)
    const content = fill(CHUNK_SIZE + 9)
    await put(store, content)
    const root = await index.file(path)
    await collect?.()
    await has(index, cidOf(RAW, sha256(content.subarray(CHUNK_SIZE))), content.subarray(CHUNK_SIZE))
    await store.commit({ changes: [{ delete: path }] })
    await collect?.()
    await hasNot(index, root)
    await hasNot(index, cidOf(RAW, sha256(content.subarray(CHUNK_SIZE))))
    await assert.rejects(index.file(path), ObjectUnknownError)
  })

  it('serves a chunk of two objects as long as one of them is there', async (t) => {
    const { index, store, collect } = await open(t)
    const content = fill(100)
    await put(store, content)
    await store.commit({ changes: [{ put: 'blobs/two/data', data: content }] })
    const root = await index.file(path)
    await index.file('blobs/two/data')
    await store.commit({ changes: [{ delete: path }] })
    await collect?.()
    await has(index, root, content)
    await store.commit({ changes: [{ delete: 'blobs/two/data' }] })
    await collect?.()
    await hasNot(index, root)
  })

  it('knows an object that is not there for unknown', async (t) => {
    const { index } = await open(t)
    await assert.rejects(index.file(path), ObjectUnknownError)
  })

  it('serves every block of a tree, also when it is added again', async (t) => {
    const { index, show } = await open(t)
    const tree = new Map([['disco.json', fill(500)], ['_manifests/tags/latest/current/link', fill(71)], ['empty', fill(0)], ['large', fill(2_000_000)]])
    const { root, blocks } = layoutTree(tree)
    assert.equal((await index.addTree(tree)).toString(), root.toString())
    assert.equal((await index.addTree(tree)).toString(), root.toString())
    await show?.(root)
    for (const { cid, bytes } of blocks) await has(index, cid, bytes)
  })

  it('finds a block by its multihash, whatever the version and the codec of its CID', async (t) => {
    const { index, show } = await open(t)
    const root = await index.addTree(new Map([['a', fill(3)]]))
    await show?.(root)
    assert.equal(await index.blocks.has(root.toV0()), true)
    assert.ok((await index.blocks.get(CID.createV1(RAW, root.multihash))) !== undefined)
  })

  it('reads identity CIDs themselves', async (t) => {
    const { index } = await open(t)
    assert.equal(await index.blocks.has(CID.parse('bafkqaaa')), true)
    assert.equal((await index.blocks.get(CID.parse('bafkqaaa')))?.length, 0)
    assert.equal(Buffer.from((await index.blocks.get(CID.parse('bafkqac3jobxhgidsn5rww4yk'))) ?? []).toString(), 'ipns rocks\n')
  })

  it('has nothing else', async (t) => {
    const { index } = await open(t)
    await hasNot(index, cidOf(DAG_PB, sha256(fill(7))))
  })

  it('stops when asked to', async (t) => {
    const { index, store } = await open(t)
    await put(store, fill(10))
    const signal = AbortSignal.abort(new Error('enough'))
    await assert.rejects(index.file(path, { signal }), /enough/)
    await assert.rejects(index.addTree(new Map([['a', fill(1)]]), { signal }), /enough/)
    await assert.rejects(index.blocks.get(rootOf(fill(10)), { signal }), /enough/)
    await assert.rejects(index.blocks.has(rootOf(fill(10)), { signal }), /enough/)
  })
}

async function has({ blocks }: DagIndex, cid: CID, bytes: Uint8Array): Promise<void> {
  assert.equal(await blocks.has(cid), true, `has ${cid}`)
  for (const verify of [true, false]) {
    assert.equal(Buffer.compare((await blocks.get(cid, { verify })) ?? assert.fail(`no block ${cid}`), bytes), 0, `bytes of ${cid}`)
  }
}

async function hasNot({ blocks }: DagIndex, cid: CID): Promise<void> {
  assert.equal(await blocks.has(cid), false, `has ${cid}`)
  assert.equal(await blocks.get(cid), undefined, `gives ${cid}`)
}
