import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { importer } from 'ipfs-unixfs-importer'
import type { CID } from 'multiformats/cid'
import { DirectoryTooLargeError, layoutTree } from '../../../src/ipfs/unixfs/tree-layout.ts'
import { Window } from '../../../src/ipfs/unixfs/window.ts'
import { walkTree } from '../../../src/ipfs/unixfs/walk-tree.ts'

type Files = Record<string, string | Uint8Array>

function treeOf(files: Files): Map<string, Uint8Array> {
  return new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)]))
}

const TREES: Record<string, Files> = {
  'one file': { a: 'one' },
  'an empty file': { empty: '' },
  'names that sort by their bytes': { b: '1', a: '2', B: '3', 'a-b': '4', 'a.b': '5', ä: '6', '': '', ab: '7' },
  'directories': { 'x/y/z': 'deep', 'x/y/a': 'er', 'x/b': 'c', 'disco.json': '{}', '_manifests/tags/latest/current/link': 'sha256:00' },
  'a file of several chunks': { 'big': Buffer.alloc(2_500_000, 3), 'small': 'x' },
}
delete TREES['names that sort by their bytes']?.['']

async function importTree(tree: ReadonlyMap<string, Uint8Array>): Promise<{ root: CID; blocks: Map<string, Buffer> }> {
  const blocks = new Map<string, Buffer>()
  const put = (cid: CID, bytes: Uint8Array): CID => {
    blocks.set(cid.toString(), Buffer.from(bytes))
    return cid
  }
  let root: CID | undefined
  const files = [...tree].map(([path, content]) => ({ path, content }))
  for await (const { cid } of importer(files, { put } as never, { profile: 'unixfs-v1-2025', wrapWithDirectory: true })) root = cid
  assert.ok(root !== undefined)
  return { root, blocks }
}

describe('layout of a tree', () => {
  for (const [name, files] of Object.entries(TREES)) {
    it(`with ${name} equals the importer's, and reads back`, async () => {
      const tree = treeOf(files)
      const expected = await importTree(tree)
      const layout = layoutTree(tree)
      assert.equal(layout.root.toString(), expected.root.toString())
      const blocks = new Map(layout.blocks.map(({ cid, bytes }) => [cid.toString(), Buffer.from(bytes)]))
      assert.deepEqual(blocks, expected.blocks)

      const fetch = async (cid: CID): Promise<Uint8Array> => blocks.get(cid.toString()) ?? assert.fail(`no block ${cid}`)
      const limits = { bytes: 10_000_000, files: 100, depth: 10 }
      const walked = await walkTree(layout.root, fetch, { limits, window: new Window(8) })
      assert.deepEqual(new Map([...walked.tree].sort()), new Map([...tree].sort()))
      assert.deepEqual(new Set(walked.blocks.map(({ cid }) => cid.toString())), new Set(blocks.keys()))
    })
  }

  it('of nothing is the empty directory', () => {
    assert.equal(layoutTree(new Map()).root.toString(), 'bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354')
  })

  for (const path of ['', '/a', 'a/', 'a//b', '../a', 'a/./b']) {
    it(`refuses the path ${JSON.stringify(path)}`, () => {
      assert.throws(() => layoutTree(treeOf({ [path]: 'x' })), TypeError)
    })
  }

  it('refuses a path that is a file and a directory', () => {
    assert.throws(() => layoutTree(treeOf({ a: '1', 'a/b': '2' })), TypeError)
    assert.throws(() => layoutTree(treeOf({ 'a/b': '2', a: '1' })), TypeError)
  })

  it('refuses a directory that would have to be sharded', () => {
    const files = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`d/${String(i).padStart(64, '0')}`, 'x']))
    assert.throws(() => layoutTree(treeOf(files)), DirectoryTooLargeError)
  })
})
