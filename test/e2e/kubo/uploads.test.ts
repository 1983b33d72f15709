import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import type { CID } from 'multiformats/cid'
import { EmbeddedDagIndex } from '../../../src/ipfs/embedded/dag-index.ts'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import { sha256 } from '../../../src/ipfs/unixfs/block.ts'
import { layoutFile } from '../../../src/ipfs/unixfs/file-layout.ts'
import { digestOf, formatDigest } from '../../../src/oci/digest.ts'
import { blobData } from '../../../src/registry/paths.ts'
import { EmbeddedStore } from '../../../src/storage/embedded/store.ts'
import { DigestMismatchError, StorageFailedError, UploadUnknownError } from '../../../src/storage/errors.ts'
import { CHUNK_SIZE, type ObjectStore } from '../../../src/storage/object-store.ts'
import { bytes, collect, fill, text } from '../../contract/bytes.ts'
import { Kubo } from '../harness/kubo.ts'
import { until } from '../harness/until.ts'
import { emptied, nodesOf, openKuboStore, removed, type OpenedKuboStore } from './kubo-store-scene.ts'

const PROFILE = ['--cid-version=1', '--raw-leaves', `--chunker=size-${CHUNK_SIZE}`, '--max-file-links=1024']
const MB = 1024 * 1024

/** A node that tells how many bytes were sent to it as files. */
class Counted extends KuboNode {
  sent = 0

  override add(body: AsyncIterable<Uint8Array>, options?: Parameters<KuboNode['add']>[1]): Promise<CID> {
    const count = (size: number): void => void (this.sent += size)
    return super.add((async function* () {
      for await (const chunk of body) {
        count(chunk.byteLength)
        yield chunk
      }
    })(), options)
  }
}

async function* pieces(content: Uint8Array, size = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size)
}

/** As the registry stores a blob. */
async function put(store: ObjectStore, content: Uint8Array, id = 'u'): Promise<string> {
  const digest = digestOf(content)
  await store.uploads.create(id, 'r')
  await store.uploads.append(id, 0, pieces(content))
  await store.commit({ uploads: [{ id, path: blobData(digest), digest }] })
  return blobData(digest)
}

describe('uploads into one Kubo', { timeout: 240_000 }, () => {
  let kubo: Kubo
  before(async () => void (kubo = await Kubo.start()))
  after(() => kubo.remove())

  interface Scene extends OpenedKuboStore {
    readonly node: Counted
    readonly directory: string
    /** The same after a restart. */
    again(): Promise<Scene>
    /** The same once more, as another process has it. */
    open(): Promise<Scene>
  }

  async function scene(t: TestContext): Promise<Scene> {
    const directory = await emptied([kubo])
    const opened = new Set<OpenedKuboStore>()
    t.after(async () => {
      for (const one of opened) await one.close()
      await removed(directory)
    })
    const open = async (): Promise<Scene> => {
      const node = new Counted(kubo.url)
      const one = await openKuboStore([node], directory)
      opened.add(one)
      const again = async (): Promise<Scene> => {
        opened.delete(one)
        await one.close()
        return open()
      }
      return { ...one, node, directory, again, open }
    }
    return open()
  }

  /** Names below /disco/staged, of whatever registry. */
  async function staged(node: KuboNode): Promise<string[]> {
    const owners = (await node.list('/disco/staged')) ?? []
    return (await Promise.all(owners.map(({ name }) => node.list(`/disco/staged/${name}`)))).flatMap((entries) => entries ?? []).map(({ name }) => name)
  }

  it('sends a blob once, while it arrives, and leaves nothing but the object', async (t) => {
    const { store, node, local } = await scene(t)
    const content = fill(9 * MB + 5, 11)
    const digest = digestOf(content)
    await store.uploads.create('u', 'r')
    let ended = false
    await store.uploads.append('u', 0, (async function* () {
      yield* pieces(content.subarray(0, 6 * MB))
      await until(() => node.sent >= 4 * MB, { every: 20 })
      yield* pieces(content.subarray(6 * MB))
      ended = true
    })())
    assert.equal(ended, true)
    await store.commit({ uploads: [{ id: 'u', path: blobData(digest), digest }] })
    assert.equal(node.sent, content.length)
    assert.ok((await collect(store.read(blobData(digest)))).equals(content))
    await until(async () => (await staged(node)).length === 0)
    assert.deepEqual(await local.uploads.list(), [])
  })

  it('goes on sending over several requests', async (t) => {
    const { store, node } = await scene(t)
    const content = fill(12 * MB + 1, 12)
    const digest = digestOf(content)
    await store.uploads.create('u', 'r')
    for (let at = 0; at < content.length; at += 3 * MB) await store.uploads.append('u', at, pieces(content.subarray(at, at + 3 * MB)))
    await store.commit({ uploads: [{ id: 'u', path: blobData(digest), digest }] })
    assert.equal(node.sent, content.length)
    assert.ok((await collect(store.read(blobData(digest)))).equals(content))
  })

  it('finishes after a restart what was sent in part, and what came by another process', async (t) => {
    const first = await scene(t)
    const content = fill(10 * MB, 13)
    const digest = digestOf(content)
    await first.store.uploads.create('u', 'r')
    await first.store.uploads.append('u', 0, pieces(content.subarray(0, 4 * MB)))
    const second = await first.again()
    await second.store.uploads.append('u', 4 * MB, pieces(content.subarray(4 * MB, 7 * MB)))
    const other = await second.open()
    await other.store.uploads.append('u', 7 * MB, pieces(content.subarray(7 * MB)))
    await second.store.commit({ uploads: [{ id: 'u', path: blobData(digest), digest }] })
    assert.ok((await collect(other.store.read(blobData(digest)))).equals(content))
  })

  it('knows no upload any more of which a power loss took bytes', async (t) => {
    const { store, local, directory } = await scene(t)
    await store.uploads.create('u', 'r')
    await store.uploads.append('u', 0, pieces(fill(300_000, 25)))
    const { file = '' } = local.database.get<{ file: string }>("SELECT file FROM uploads WHERE id = 'u'") ?? {}
    const path = (await readdir(directory, { recursive: true })).find((each) => each.endsWith(file)) ?? assert.fail('no file')
    await truncate(join(directory, path), 200_000)
    await assert.rejects(store.uploads.append('u', 300_000, pieces(fill(10))), UploadUnknownError)
    await store.uploads.remove('u')
    assert.equal(await store.uploads.stat('u'), undefined)
  })

  it('does not send what the node has', async (t) => {
    const { store, node } = await scene(t)
    const content = fill(5.5 * MB, 14)
    const path = await put(store, content)
    const sent = node.sent
    assert.equal(sent, content.length)
    await put(store, content)
    assert.equal(node.sent, sent)
    // Not as an object, but its blocks: of a user's own.
    const own = fill(3 * MB + 77, 15)
    await collect(node.rpc.stream('add', { 'cid-version': 1, 'raw-leaves': true, chunker: `size-${CHUNK_SIZE}`, 'max-file-links': 1024 }, { body: pieces(own) }))
    const ownPath = await put(store, own)
    assert.equal(node.sent, sent)
    assert.ok((await collect(store.read(ownPath))).equals(own))
    assert.ok((await collect(store.read(path))).equals(content))
  })

  it('sends what the node has only in part', async (t) => {
    const { store, node } = await scene(t)
    const content = fill(1.9 * MB, 16)
    const root = await node.add(pieces(content))
    const leaf = (await kubo.ipfs('refs', root.toString())).split('\n')[1] ?? ''
    await kubo.ipfs('block', 'rm', leaf)
    const sent = node.sent
    const path = await put(store, content)
    assert.equal(node.sent, sent + content.length)
    assert.ok((await collect(store.read(path))).equals(content))
    assert.equal(await node.isWhole(`/${path}`), true)
  })

  it('leaves a foreign copy where it is, and puts a whole one in the place of one that is not', async (t) => {
    const { store, node } = await scene(t)
    for (const whole of [true, false]) {
      const content = fill(3 * MB + 9, whole ? 17 : 18)
      const path = blobData(digestOf(content))
      // The original writes blobs piece by piece, in the node's old format.
      await node.rpc.bytes('files/write', { arg: `/${path}`, create: true, parents: true }, { body: pieces(content) })
      const foreign = await node.stat(`/${path}`)
      assert.equal(foreign?.cid.version, 0)
      if (!whole) {
        await node.flush('/')
        const [leaf = ''] = (await kubo.ipfs('refs', foreign.cid.toString())).split('\n')
        await kubo.ipfs('block', 'rm', leaf)
        assert.equal(await node.isWhole(`/${path}`), false)
      }
      await put(store, content, `u${whole}`)
      assert.equal((await node.stat(`/${path}`))?.cid.equals(foreign.cid), whole)
      assert.ok((await collect(store.read(path))).equals(content))
    }
  })

  it('keeps nothing at the node of a client that went away, and takes up what it left', async (t) => {
    const { store, node } = await scene(t)
    const content = fill(8 * MB, 19)
    const digest = digestOf(content)
    await store.uploads.create('u', 'r')
    await assert.rejects(store.uploads.append('u', 0, (async function* () {
      yield* pieces(content.subarray(0, 5 * MB))
      throw new Error('the cable')
    })()), /cable/)
    assert.equal((await store.uploads.stat('u'))?.size, 5 * MB)
    await store.uploads.append('u', 5 * MB, pieces(content.subarray(5 * MB)))
    await store.commit({ uploads: [{ id: 'u', path: blobData(digest), digest }] })
    assert.ok((await collect(store.read(blobData(digest)))).equals(content))
    await store.uploads.create('v', 'r')
    await store.uploads.append('v', 0, pieces(content.subarray(0, 5 * MB)))
    await store.uploads.remove('v')
    await until(async () => (await staged(node)).length === 0)
  })

  it('keeps an upload with another digest out', async (t) => {
    const { store, node } = await scene(t)
    await store.uploads.create('u', 'r')
    await store.uploads.append('u', 0, pieces(fill(5 * MB, 20)))
    const digest = digestOf(text('other'))
    await assert.rejects(store.commit({ uploads: [{ id: 'u', path: blobData(digest), digest }] }), DigestMismatchError)
    assert.equal(await store.stat(blobData(digest)), undefined)
    await store.uploads.remove('u')
    assert.deepEqual(await staged(node), [])
  })

  it('says clearly that the node died, keeps the upload, and finishes it when the node is back', async (t) => {
    const { store } = await scene(t)
    const content = fill(8 * MB + 3, 21)
    const digest = digestOf(content)
    const batch = { uploads: [{ id: 'u', path: blobData(digest), digest }] }
    await store.uploads.create('u', 'r')
    await store.uploads.append('u', 0, (async function* () {
      yield* pieces(content.subarray(0, 4 * MB))
      await kubo.kill()
      yield* pieces(content.subarray(4 * MB))
    })())
    await assert.rejects(store.commit(batch), (error) => error instanceof StorageFailedError && /does not answer/.test(error.message))
    assert.equal((await store.uploads.stat('u'))?.size, content.length)
    await kubo.up()
    assert.equal(await store.stat(blobData(digest)), undefined)
    await store.commit(batch)
    assert.ok((await collect(store.read(blobData(digest)))).equals(content))
  })

  it('waits for no node that takes nothing any more: the upload goes on without it', async (t) => {
    const { store, node } = await scene(t)
    const content = fill(40 * MB, 24)
    const digest = digestOf(content)
    await store.uploads.create('u', 'r')
    try {
      assert.equal(await store.uploads.append('u', 0, (async function* () {
        yield* pieces(content.subarray(0, 4 * MB))
        await until(() => node.sent >= 2 * MB, { every: 20 })
        process.kill(kubo.pid, 'SIGSTOP')
        yield* pieces(content.subarray(4 * MB))
      })()), content.length)
    } finally {
      process.kill(kubo.pid, 'SIGCONT')
    }
    await store.commit({ uploads: [{ id: 'u', path: blobData(digest), digest }] })
    assert.equal(await node.isWhole(`/${blobData(digest)}`), true)
  })

  it('keeps no process alive, and leaves what a process had not finished to the next', async (t) => {
    const directory = await emptied([kubo])
    const program = `
      const { openKuboStore } = await import(${JSON.stringify(new URL('kubo-store-scene.ts', import.meta.url).href)})
      const { KuboNode } = await import(${JSON.stringify(new URL('../../../src/ipfs/kubo/nodes/node.ts', import.meta.url).href)})
      const { store, close } = await openKuboStore([new KuboNode(${JSON.stringify(kubo.url)})], ${JSON.stringify(directory)})
      await store.uploads.create('u', 'r')
      await store.uploads.append('u', 0, (async function* () {
        for (let i = 0; i < 5; i++) yield Buffer.alloc(${MB}, i)
      })())
      await close()
    `
    await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 10_000 })
    const opened = await openKuboStore(nodesOf([kubo]), directory)
    t.after(async () => {
      await opened.close()
      await removed(directory)
    })
    const digest = digestOf(Buffer.concat([0, 1, 2, 3, 4].map((i) => Buffer.alloc(MB, i))))
    await opened.store.commit({ uploads: [{ id: 'u', path: blobData(digest), digest }] })
    assert.equal((await opened.store.stat(blobData(digest)))?.size, 5 * MB)
  })

  it('loses nothing to a collection of garbage that comes in between, wherever it comes', async (t) => {
    const { store, node } = await scene(t)
    const content = fill(9 * MB, 22)
    const digest = digestOf(content)
    const gc = async (): Promise<void> => void (await kubo.ipfs('repo', 'gc', '-q'))
    await store.uploads.create('u', 'r')
    await store.uploads.append('u', 0, (async function* () {
      yield* pieces(content.subarray(0, 5 * MB))
      await until(() => node.sent >= 4 * MB, { every: 20 })
      await gc()
      yield* pieces(content.subarray(5 * MB))
    })())
    await gc()
    await store.commit({ uploads: [{ id: 'u', path: blobData(digest), digest }] })
    await gc()
    assert.equal(await node.isWhole(`/${blobData(digest)}`), true)
    assert.ok((await collect(store.read(blobData(digest)))).equals(content))
    // Whole when it is held: nothing of a finished upload goes before its commit.
    await store.uploads.create('v', 'r')
    await store.uploads.append('v', 0, pieces(content.toReversed()))
    const other = digestOf(content.toReversed())
    const sent = await store.uploads.finish({ id: 'v', path: blobData(other), digest: other })
    await gc()
    assert.equal(await node.isWhole(sent.held ?? ''), true)
    await sent.release()
    await store.commit({ uploads: [{ id: 'v', path: blobData(other), digest: other }] })
    await gc()
    assert.equal(await node.isWhole(`/${blobData(other)}`), true)
  })

  it('sends at once what a collection of garbage takes in the moment in which it is to be held', async (t) => {
    const { store, node } = await scene(t)
    const content = fill(3 * MB, 26)
    const link = node.link.bind(node)
    let taken = 0
    node.link = async (cid, place, options) => {
      if (taken++ === 0) await kubo.ipfs('block', 'rm', cid.toString())
      return link(cid, place, options)
    }
    const began = performance.now()
    const path = await put(store, content)
    assert.ok(taken > 0)
    assert.ok(performance.now() - began < 10_000)
    assert.equal(await node.isWhole(`/${path}`), true)
    // Not at the end of the test alone: who holds the lock that collectors wait for keeps everybody waiting.
    await kubo.ipfs('repo', 'gc', '-q')
    assert.ok((await collect(store.read(path))).equals(content))
  })

  it('ends reads of what has lost a block, and takes it for absent until it is pushed again', async (t) => {
    const directory = await emptied([kubo])
    const node = new KuboNode(kubo.url, { patience: { silence: 300, answer: 5000 } })
    const { store, close } = await openKuboStore([node], directory)
    t.after(async () => {
      await close()
      await removed(directory)
    })
    const content = fill(3 * MB + 9, 27)
    const path = await put(store, content)
    const cid = (await node.stat(`/${path}`))?.cid.toString() ?? assert.fail('no blob')
    const [, , last = ''] = (await kubo.ipfs('refs', cid)).split('\n')
    await kubo.ipfs('block', 'rm', last)
    assert.equal((await store.stat(path))?.size, content.length)
    await assert.rejects(collect(store.read(path)), (error) => error instanceof StorageFailedError && error.message.includes(path) && /lost blocks/.test(error.message))
    assert.equal(await store.stat(path), undefined)
    await put(store, content, 'again')
    assert.equal((await store.stat(path))?.size, content.length)
    assert.ok((await collect(store.read(path))).equals(content))
  })

  it('makes an upload of what came by its CID, under whatever layout', async (t) => {
    const { store, node, uploads } = await scene(t)
    const content = fill(600_000, 23)
    const digest = digestOf(content)
    const path = blobData(digest)
    const { Hash } = await node.rpc.json<{ Hash: string }>('add', { pin: false }, { body: pieces(content) })
    const cid = (await node.stat(`/ipfs/${Hash}`))?.cid ?? assert.fail(Hash)
    await uploads.adopt('u', { cid, size: content.length, digest, path, repository: 'r' })
    await kubo.ipfs('repo', 'gc', '-q')
    assert.ok((await collect(store.uploads.read('u', { start: 5, length: 10 }))).equals(bytes(content.subarray(5, 15))))
    assert.deepEqual((await store.uploads.list()).map(({ id, size, repository }) => ({ id, size, repository })), [{ id: 'u', size: content.length, repository: 'r' }])
    await assert.rejects(store.uploads.create('u', 'r'))
    await assert.rejects(store.uploads.verify('u', digestOf(text('other'))), DigestMismatchError)
    await store.commit({ uploads: [{ id: 'u', path, digest }] })
    assert.equal(await store.uploads.stat('u'), undefined)
    assert.equal((await node.stat(`/${path}`))?.cid.toString(), Hash)
    await until(async () => (await staged(node)).length === 0)
    await uploads.adopt('v', { cid, size: content.length, digest, path, repository: 'r' })
    await store.uploads.remove('v')
    assert.deepEqual(await staged(node), [])
    assert.deepEqual(await store.uploads.list(), [])
  })

  it('lays out files of more than 1024 chunks as Kubo does', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'disco-sparse-'))
    t.after(() => rm(directory, { recursive: true }))
    const file = join(directory, 'sparse')
    await writeFile(file, '')
    const size = 1025 * MB + 3
    await truncate(file, size)
    const zeros = sha256(new Uint8Array(MB))
    const hashes = Buffer.concat([...Array.from({ length: 1025 }, () => zeros), sha256(new Uint8Array(3))])
    assert.equal(layoutFile(hashes, size).root.toString(), await kubo.ipfs('add', '-Q', '--only-hash', ...PROFILE, file))
  })
})

describe('one CID for one blob', { timeout: 120_000 }, () => {
  const kubos: Kubo[] = []
  before(async () => {
    for (let i = 0; i < 3; i++) kubos.push(await Kubo.start())
  })
  after(async () => {
    for (const kubo of kubos) await kubo.remove()
  })

  for (const size of [0, 1, MB, MB + 1, 5 * MB + 3]) {
    it(`of ${size} bytes: embedded, on one Kubo, on three, and by ipfs add`, async (t) => {
      const content = fill(size, size + 1)
      const directory = await emptied(kubos)
      const closes: (() => Promise<void>)[] = []
      t.after(async () => {
        for (const close of closes) await close()
        await removed(directory)
      })
      const file = join(directory, 'content')
      await writeFile(file, content)
      const cid = await kubos[0]?.ipfs('add', '-Q', '--only-hash', ...PROFILE, file)

      const embedded = await EmbeddedStore.open(join(directory, 'embedded'))
      closes.push(() => embedded.close())
      const index = await EmbeddedDagIndex.open(embedded.database, embedded)
      assert.equal((await index.file(await put(embedded, content))).toString(), cid)

      for (const some of [kubos.slice(0, 1), kubos]) {
        const opened = await openKuboStore(nodesOf(some), join(directory, `${some.length}`))
        closes.push(() => opened.close())
        const path = await put(opened.store, content)
        assert.equal((await opened.nodes.nodeOf(path).stat(`/${path}`))?.cid.toString(), cid)
        assert.equal(formatDigest(digestOf(await collect(opened.store.read(path)))), formatDigest(digestOf(content)))
      }
    })
  }
})
