import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { CID } from 'multiformats/cid'
import { EmbeddedDagIndex } from '../../src/ipfs/embedded/dag-index.ts'
import { EmbeddedSession } from '../../src/ipfs/embedded/session.ts'
import { VerificationError } from '../../src/ipfs/errors.ts'
import { LayoutWriter } from '../../src/ipfs/embedded/layout-record.ts'
import type { WantedFile } from '../../src/ipfs/node.ts'
import { walkFile, type FileBlock } from '../../src/ipfs/unixfs/walk-file.ts'
import { Window } from '../../src/ipfs/unixfs/window.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { Database } from '../../src/storage/embedded/database.ts'
import { StorageFailedError } from '../../src/storage/errors.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { fill } from '../contract/bytes.ts'
import { DAGS, type LaidOutContent } from './dags.ts'
import { Blocks, silent } from './gateway-server.ts'
import { openIndexed } from './indexed-store.ts'

const CONTENT = fill(2_300_000)
const FOREIGN = Object.entries(DAGS).filter(([name]) => name !== 'of our profile')

async function openApart(t: TestContext, store: MemoryStore): Promise<EmbeddedDagIndex> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-layouts-'))
  const database = await Database.open(join(directory, 'disco.db'))
  t.after(async () => {
    await database.close()
    await rm(directory, { recursive: true })
  })
  return EmbeddedDagIndex.open(database, store, { apart: true })
}

function wantedOf({ root }: LaidOutContent, content: Uint8Array): WantedFile {
  return { cid: root, digest: digestOf(content), size: content.length, path: `blobs/${root}/data` }
}

/** Clones files into a store and gives what is to be kept of their layouts. */
async function keep(store: MemoryStore, index: EmbeddedDagIndex, dags: readonly (readonly [LaidOutContent, Uint8Array])[]): Promise<Uint8Array | undefined> {
  const [first] = dags
  const source = {
    async fetch(cid: CID): Promise<Uint8Array> {
      for (const [{ blocks }] of dags) {
        const bytes = await blocks.get(cid)
        if (bytes !== undefined) return bytes
      }
      assert.fail(`nobody has ${cid}`)
    },
    close: async () => {},
  }
  const session = new EmbeddedSession(first?.[0].root ?? assert.fail(), { source, store, index, log: silent })
  try {
    const fetches = dags.map(([dag, content]) => ({ file: wantedOf(dag, content), fetch: session.fetch(wantedOf(dag, content)) }))
    const uploads = await Promise.all(fetches.map(async ({ file: { path, digest }, fetch }) => ({ id: (await fetch.done).upload, path, digest })))
    const layout = await session.keep()
    await store.commit({ uploads: uploads.flatMap(({ id, ...rest }) => (id === undefined ? [] : [{ id, ...rest }])) })
    return layout
  } finally {
    await session.close()
  }
}

async function* inPieces(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size)
}

describe('what is kept of a layout', () => {
  for (const [name, lay] of FOREIGN) {
    for (const size of [0, 1, 300_000, CONTENT.length]) {
      it(`gives another index every block of a file of ${size} bytes ${name}`, async (t) => {
        const store = new MemoryStore()
        const content = CONTENT.subarray(0, size)
        const dag = await lay(content)
        const layout = (await keep(store, await openApart(t, store), [[dag, content]])) ?? assert.fail('nothing is kept')
        const other = await openApart(t, store)
        await other.takeLayout(inPieces(layout), [wantedOf(dag, content)])
        for (const cid of dag.cids) {
          const bytes = (await dag.blocks.get(cid)) ?? assert.fail()
          assert.equal(Buffer.compare((await other.blocks.get(cid)) ?? assert.fail(`no ${cid}`), bytes), 0)
        }
      })
    }
  }

  it('is little, and nothing where it can be told from the objects', async (t) => {
    const kubo = (await DAGS["of Kubo's defaults"]?.(CONTENT)) ?? assert.fail()
    const ours = (await DAGS['of our profile']?.(CONTENT)) ?? assert.fail()
    const store = new MemoryStore()
    const index = await openApart(t, store)
    assert.equal(await keep(store, index, [[ours, CONTENT]]), undefined)
    const layout = (await keep(store, index, [[kubo, CONTENT], [ours, CONTENT]])) ?? assert.fail()
    assert.ok(layout.length < 1000, `${layout.length} bytes`)
    const embedded = await openIndexed(t)
    assert.equal(embedded.index.layouts, undefined)
  })

  it('is the same where the file was here already, fetched or in the index', async (t) => {
    const store = new MemoryStore()
    const index = await openApart(t, store)
    for (const [, lay] of FOREIGN) {
      const dag = await lay(CONTENT)
      const layout = (await keep(store, index, [[dag, CONTENT]])) ?? assert.fail()
      assert.deepEqual(await keep(store, index, [[dag, CONTENT]]), layout)
      assert.deepEqual(await keep(store, await openApart(t, store), [[dag, CONTENT]]), layout)
    }
  })

  it('that is cut off or damaged gives nothing wrong, and not half a file', async (t) => {
    const store = new MemoryStore()
    const content = CONTENT.subarray(0, 90_000)
    const files = await Promise.all(FOREIGN.map(async ([, lay]) => [await lay(content), content] as const))
    const layout = (await keep(store, await openApart(t, store), files)) ?? assert.fail()
    const other = await openApart(t, store)
    const all = new Blocks()
    for (const [{ blocks, cids }] of files) for (const cid of cids) all.put(cid, (await blocks.get(cid)) ?? assert.fail())
    const wanted = files.map(([dag]) => wantedOf(dag, content))
    const check = async (): Promise<void> => {
      for (const [{ root, cids }] of files) {
        if (!(await other.blocks.has(root))) continue
        for (const cid of cids) assert.deepEqual(Buffer.from((await other.blocks.get(cid)) ?? assert.fail(`half of ${root}`)), Buffer.from((await all.get(cid)) ?? []))
      }
    }
    const step = Math.ceil(layout.length / 150)
    for (let at = 0; at < layout.length; at += step) {
      const wrong = Buffer.from(layout)
      wrong[at] = (wrong[at] ?? 0) ^ 0x41
      await assert.rejects(other.takeLayout(inPieces(wrong), wanted), VerificationError, `byte ${at}`)
      await check()
    }
    assert.equal(await other.blocks.has(files.at(-1)?.[0].root ?? assert.fail()), false)
    for (let at = 0; at < layout.length; at += step) {
      // What ends behind a section is a record of fewer files.
      await other.takeLayout(inPieces(layout.subarray(0, at)), wanted).catch((error: unknown) => assert.ok(error instanceof VerificationError))
      await check()
    }
  })

  it('that is forged takes nothing away from what is known', async (t) => {
    const store = new MemoryStore()
    const index = await openApart(t, store)
    const dag = (await DAGS["of Kubo's defaults"]?.(CONTENT)) ?? assert.fail()
    await keep(store, index, [[dag, CONTENT]])
    const fetch = async (cid: CID): Promise<Uint8Array> => (await dag.blocks.get(cid)) ?? assert.fail()
    async function* forged(): AsyncGenerator<FileBlock> {
      for await (const block of walkFile(dag.root, fetch, { window: new Window(0) })) {
        // Leaves of the type `raw` instead of `file`.
        const bytes = Buffer.from(block.bytes)
        if (block.data.length > 0) bytes[bytes.indexOf(Buffer.from([8, 2])) + 1] = 0
        yield { ...block, bytes }
      }
    }
    const writer = new LayoutWriter()
    await writer.addFile(dag.root, forged())
    await index.takeLayout(inPieces(writer.finish().record ?? assert.fail()), [wantedOf(dag, CONTENT)])
    for (const cid of dag.cids) assert.equal(Buffer.compare((await index.blocks.get(cid)) ?? assert.fail(), await fetch(cid)), 0)
  })

  it('of a file that the image does not have, or that has other bytes, is not taken for true', async (t) => {
    const store = new MemoryStore()
    const dag = (await DAGS["of Kubo's defaults"]?.(CONTENT)) ?? assert.fail()
    const layout = (await keep(store, await openApart(t, store), [[dag, CONTENT]])) ?? assert.fail()
    const other = await openApart(t, store)
    const { path, cid } = wantedOf(dag, CONTENT)
    await assert.rejects(other.takeLayout(inPieces(layout), []), VerificationError)
    const large = Buffer.concat([layout, Buffer.alloc(64 * 2 ** 20)])
    await assert.rejects(other.takeLayout((async function* () { yield large })(), [{ cid, path }]), /a layout that is too large/)
    await store.commit({ changes: [{ put: 'longer', data: fill(CONTENT.length + 1) }, { put: path, data: Buffer.alloc(CONTENT.length, 7) }] })
    await assert.rejects(other.takeLayout(inPieces(layout), [{ cid, path: 'longer' }]), VerificationError)
    await other.takeLayout(inPieces(layout), [{ cid, path }])
    for (const leaf of dag.cids.filter((each) => !each.equals(cid))) await assert.rejects(other.blocks.get(leaf), StorageFailedError)
  })
})
