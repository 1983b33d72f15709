import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { KuboDagIndex } from '../../../src/ipfs/kubo/dag/dag-index.ts'
import type { DagIndex } from '../../../src/ipfs/node.ts'
import { cidOf, RAW, sha256 } from '../../../src/ipfs/unixfs/block.ts'
import { chunkHashesOf, layoutFile } from '../../../src/ipfs/unixfs/file-layout.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { blobData } from '../../../src/registry/paths.ts'
import { ObjectUnknownError, StorageFailedError } from '../../../src/storage/errors.ts'
import { CHUNK_SIZE } from '../../../src/storage/object-store.ts'
import { collect, fill } from '../../contract/bytes.ts'
import { dagIndexContract, type DagIndexUnderTest } from '../../contract/dag-index.ts'
import { Kubo } from '../harness/kubo.ts'
import { belowStore } from './below-store.ts'
import { emptied, nodesOf, openKuboStore, removed, type OpenedKuboStore } from './kubo-store-scene.ts'

const REPOSITORIES = 'docker/registry/v2/repositories'

async function* pieces(content: Uint8Array, size = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size)
}

for (const [name, count] of [['one node', 1], ['three nodes', 3]] as const) {
  describe(`the index of DAGs of Kubo: ${name}`, { timeout: 240_000 }, () => {
    const kubos: Kubo[] = []

    before(async () => {
      for (let i = 0; i < count; i++) kubos.push(await Kubo.start())
      for (const kubo of kubos.slice(1)) await kubos[0]?.connect(kubo)
    })

    after(async () => {
      for (const kubo of kubos) await kubo.remove()
    })

    const gc = async (): Promise<void> => {
      for (const kubo of kubos) await kubo.ipfs('repo', 'gc', '-q')
    }

    async function open(t: Pick<TestContext, 'after'>): Promise<OpenedKuboStore & { readonly index: KuboDagIndex }> {
      const directory = await emptied(kubos)
      const opened = await openKuboStore(nodesOf(kubos), directory)
      t.after(async () => {
        await opened.close()
        await removed(directory)
      })
      await gc()
      return { ...opened, index: await KuboDagIndex.open(opened.local.database, opened.nodes) }
    }

    dagIndexContract(async (t): Promise<DagIndexUnderTest> => {
      const { store, index } = await open(t)
      const below: DagIndex = {
        file: (path, options) => index.file(`${REPOSITORIES}/${path}`, options),
        addTree: (tree, options) => index.addTree(tree, options),
        blocks: index.blocks,
      }
      return { index: below, store: belowStore(store, REPOSITORIES), collect: gc }
    })

    it('gives a foreign copy the CID of the profile as well, and holds both as long as the object is there', async (t) => {
      const { index, nodes, local } = await open(t)
      const content = fill(2 * CHUNK_SIZE + 3, 5)
      const path = blobData(digestOf(content))
      const node = nodes.nodeOf(path)
      await node.rpc.bytes('files/write', { arg: `/${path}`, create: true, parents: true }, { body: pieces(content) })
      const foreign = await node.stat(`/${path}`) ?? assert.fail('nothing there')
      const { root } = layoutFile(chunkHashesOf(content), content.length)
      assert.equal((await index.file(path)).toString(), root.toString())
      assert.equal((await node.stat(`/${path}`))?.cid.toString(), foreign.cid.toString())
      await gc()
      assert.equal((await index.file(path)).toString(), root.toString())
      assert.equal(Buffer.compare(await index.blocks.get(cidOf(RAW, sha256(content.subarray(2 * CHUNK_SIZE)))) ?? assert.fail('gone'), content.subarray(2 * CHUNK_SIZE)), 0)
      assert.ok((await collect(node.read(`/${path}`))).equals(content))
      assert.equal(await index.clean({ patience: 0 }), 0)
      // What was known is only known: it is derived again.
      await local.database.write([{ sql: 'DELETE FROM kubo_held_dag' }])
      assert.equal((await index.file(path)).toString(), root.toString())
      await node.remove(`/${path}`)
      assert.equal(await index.clean({ patience: 0 }), 1)
      await gc()
      assert.equal(await index.blocks.has(root), false)
      await assert.rejects(index.file(path), ObjectUnknownError)
    })

    it('knows the profile by the nodes above the leaves', async (t) => {
      const { index, nodes, store } = await open(t)
      // The same bytes in the same chunks, below other nodes.
      const content = fill(3 * CHUNK_SIZE, 6)
      const path = blobData(digestOf(content))
      const node = nodes.nodeOf(path)
      const { Hash } = await node.rpc.json<{ Hash: string }>('add', { 'cid-version': 1, 'raw-leaves': true, chunker: `size-${CHUNK_SIZE}`, 'max-file-links': 2, pin: false }, { body: pieces(content) })
      await node.rpc.bytes('files/cp', { arg: [`/ipfs/${Hash}`, `/${path}`], parents: true })
      const hashes = chunkHashesOf(content)
      const { root } = layoutFile(hashes, content.length)
      assert.notEqual(Hash, root.toString())
      assert.equal((await index.file(path)).toString(), root.toString())
      assert.equal(Buffer.compare(await store.chunkHashes(path), hashes), 0)
    })

    it('says that a node does not answer rather than that it has nothing', async (t) => {
      const { index } = await open(t)
      const cid = await index.addTree(new Map([['a', fill(5)]]))
      const unknown = cidOf(RAW, sha256(fill(9)))
      for (const kubo of kubos) await kubo.kill()
      try {
        await assert.rejects(index.blocks.get(cid), StorageFailedError)
        await assert.rejects(index.blocks.has(unknown), StorageFailedError)
        await assert.rejects(index.file('docker/registry/v2/blobs/sha256/aa/aa/data'), StorageFailedError)
      } finally {
        for (const kubo of kubos) await kubo.up()
      }
      assert.equal(await index.blocks.has(unknown), false)
    })
  })
}
