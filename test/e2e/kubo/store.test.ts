import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { decode } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { globalRepositories, repositoryTree, type GlobalImage, type PlacedEntry } from '../../../src/global/repository-tree.ts'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import { chunkHashesOf, layoutFile } from '../../../src/ipfs/unixfs/file-layout.ts'
import { layoutTree } from '../../../src/ipfs/unixfs/tree-layout.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { blobData, inRepository, REPOSITORIES, within } from '../../../src/registry/paths.ts'
import { StorageFailedError } from '../../../src/storage/errors.ts'
import type { Batch, Change } from '../../../src/storage/object-store.ts'
import { bytes, collect, fill, listAll, text } from '../../contract/bytes.ts'
import { objectsOf, put } from '../../contract/commits.ts'
import { ROOT } from '../harness/command.ts'
import { Kubo } from '../harness/kubo.ts'
import { DyingKubo } from './dying-kubo.ts'
import { emptied, nodesOf, openKuboStore, removed, type OpenedKuboStore } from './kubo-store-scene.ts'

describe('a store on one Kubo', { timeout: 240_000 }, () => {
  let kubo: Kubo

  before(async () => (kubo = await Kubo.start()))
  after(() => kubo.remove())

  const withStore = (run: (opened: OpenedKuboStore & { readonly directory: string }) => Promise<void>) => async (): Promise<void> => {
    const directory = await emptied([kubo])
    const opened = await openKuboStore(nodesOf([kubo]), directory)
    try {
      await run({ ...opened, directory })
    } finally {
      await opened.close()
      await removed(directory)
    }
  }

  it('has each image under its own CID, and both of its names whole', withStore(async ({ store }) => {
    const image = imageOf(30)
    const { cid, entries, digest, tree } = image
    await store.commit({ changes: globalRepositories(image) })
    assert.equal((await kubo.ipfs('files', 'stat', '--hash', `/${REPOSITORIES}/${cid}`)), cid.toString())
    for (const [path, data] of tree) {
      for (const name of [cid.toString(), digest.hex]) assert.deepEqual(bytes(await store.get(inRepository(name, path))), bytes(data))
    }
    assert.equal((await store.list(inRepository(cid.toString(), `${within.layers}/sha256`))).length, entries.length - 1)
    // Once more, and with more tags in the one that may have them.
    await store.commit({ changes: [...globalRepositories(image), put(inRepository(digest.hex, within.tagCurrent('other')), 'x')] })
    assert.equal((await kubo.ipfs('files', 'stat', '--hash', `/${REPOSITORIES}/${cid}`)), cid.toString())
    assert.deepEqual(await store.list(inRepository(digest.hex, within.tags)), [cid.toString(), 'latest', 'other'].toSorted())
  }))

  it('never shows a directory with nothing in it, whoever emptied it', withStore(async ({ store }) => {
    await store.commit({ changes: [put(`${REPOSITORIES}/a/_layers/sha256/ab/link`, 'x'), put(`${REPOSITORIES}/a/_layers/sha256/cd/link`, 'x'), put(`${REPOSITORIES}/b/c/d`, 'x')] })
    await store.commit({ changes: [{ delete: `${REPOSITORIES}/a/_layers/sha256/ab/link` }] })
    assert.deepEqual((await kubo.ipfs('files', 'ls', `/${REPOSITORIES}/a/_layers/sha256`)).split('\n'), ['cd'])
    // As Distribution does it: the link goes, and what it was in stays.
    await kubo.ipfs('files', 'rm', `/${REPOSITORIES}/a/_layers/sha256/cd/link`)
    for (const directory of ['/_layers/sha256', '/_layers', '']) assert.deepEqual(await store.list(`${REPOSITORIES}/a${directory}`), [])
    assert.deepEqual(await store.list(REPOSITORIES), ['b'])
    await store.commit({ changes: [{ delete: `${REPOSITORIES}/b/c/d` }] })
    for (const directory of [REPOSITORIES, 'docker/registry/v2', 'docker', '']) assert.deepEqual(await store.list(directory), [])
  }))

  it('takes names as they are', withStore(async ({ store }) => {
    const names = ['a b', 'a+b', 'a%2Fb', '%', '?x=1&y', '#', 'ü', '\u{1f600}', '\uffee', '\\', '"', "'", '..x', '~', '*', 'a\nb', '&arg=x', '\u0001']
    const changes = names.map((name) => put(`${REPOSITORIES}/odd/${name}/${name}`, name))
    await store.commit({ changes })
    assert.deepEqual(await store.list(`${REPOSITORIES}/odd`), names.toSorted((a, b) => Buffer.compare(text(a), text(b))))
    for (const name of names) {
      assert.deepEqual(await store.list(`${REPOSITORIES}/odd/${name}`), [name])
      assert.equal(bytes(await store.get(`${REPOSITORIES}/odd/${name}/${name}`)).toString(), name)
    }
    await store.commit({ changes: names.slice(1).map((name) => ({ delete: `${REPOSITORIES}/odd/${name}` })) })
    assert.deepEqual(await store.list(`${REPOSITORIES}/odd`), ['a b'])
  }))

  it('does a commit of more changes than MFS leaves unflushed', withStore(async ({ store }) => {
    await store.commit({ changes: Array.from({ length: 700 }, (_, i) => put(`${REPOSITORIES}/many/${i}/link`, 'old')) })
    // One by one: each is there already.
    await store.commit({ changes: Array.from({ length: 700 }, (_, i) => put(`${REPOSITORIES}/many/${i}/link`, `new ${i}`)) })
    assert.equal(bytes(await store.get(`${REPOSITORIES}/many/699/link`)).toString(), 'new 699')
    await store.commit({ changes: Array.from({ length: 699 }, (_, i) => ({ delete: `${REPOSITORIES}/many/${i}/link` })) })
    assert.deepEqual(await store.list(`${REPOSITORIES}/many`), ['699'])
  }))

  it('pages through thousands of names, sharded or not, in the order of their bytes', withStore(async ({ store, directory }) => {
    const names = Array.from({ length: 5000 }, (_, i) => `${['a', 'Z', 'é', '\uffee', '\u{1f600}'][i % 5]}${i}-${'x'.repeat(60)}`)
    for (const [where, count] of [['flat', 1200], ['sharded', 5000]] as const) {
      const all = names.slice(0, count)
      for (const name of all) await mkdir(join(directory, where, name), { recursive: true })
      for (const name of all) await writeFile(join(directory, where, name, 'link'), name)
      const cid = await kubo.ipfs('add', '-r', '-Q', '--cid-version=1', '--pin=false', join(directory, where))
      await kubo.ipfs('files', 'cp', '-p', `/ipfs/${cid}`, `/${REPOSITORIES}/${where}`)
      assert.equal(UnixFS.unmarshal(decode(await kubo.ipfsBytes('block', 'get', cid)).Data ?? text('')).type, where === 'flat' ? 'directory' : 'hamt-sharded-directory')
      const sorted = all.toSorted((a, b) => Buffer.compare(text(a), text(b)))
      assert.deepEqual(await listAll(store, `${REPOSITORIES}/${where}`, 1000), sorted)
      const [, second = ''] = sorted
      assert.deepEqual(await store.list(`${REPOSITORIES}/${where}`, { after: second, limit: 2 }), sorted.slice(2, 4))
      assert.equal(bytes(await store.get(`${REPOSITORIES}/${where}/${second}/link`)).toString(), second)
      await store.commit({ changes: [{ delete: `${REPOSITORIES}/${where}/${second}/link` }, put(`${REPOSITORIES}/${where}/${sorted[2]}/more`, 'x')] })
      assert.deepEqual(await store.list(`${REPOSITORIES}/${where}`, { limit: 2 }), [sorted[0], sorted[2]])
      assert.deepEqual(await store.list(`${REPOSITORIES}/${where}/${sorted[2]}`), ['link', 'more'])
    }
  }))

  it('loses nothing while garbage is collected', withStore(async ({ store }) => {
    const done = new AbortController()
    const collecting = (async (): Promise<number> => {
      let collections = 0
      while (!done.signal.aborted) {
        await kubo.ipfs('repo', 'gc', '-q')
        collections++
      }
      return collections
    })()
    const data = (i: number): Uint8Array => fill(100_000 + i, i)
    await Promise.all([0, 1, 2, 3].map(async (worker) => {
      for (let i = worker; i < 24; i += 4) {
        await store.uploads.create(`u${i}`, 'some')
        await store.uploads.append(`u${i}`, 0, whole(data(i)))
        await store.commit({ uploads: [{ id: `u${i}`, path: blobData(digestOf(data(i))), digest: digestOf(data(i)) }], changes: globalRepositories(imageOf(3, i)) })
      }
    }))
    done.abort()
    assert.ok(await collecting > 2)
    await kubo.ipfs('repo', 'gc', '-q')
    for (let i = 0; i < 24; i++) {
      assert.ok((await collect(store.read(blobData(digestOf(data(i)))))).equals(data(i)))
      const { cid, tree } = imageOf(3, i)
      for (const [path, expected] of tree) assert.deepEqual(bytes(await store.get(inRepository(cid.toString(), path))), bytes(expected))
    }
  }))

  it('sends again what a node has lost before it was in its place', withStore(async ({ directory }) => {
    const data = fill(2_000_000)
    const [path, digest] = [blobData(digestOf(data)), digestOf(data)]
    const way = await DyingKubo.before(kubo.url, /files.cp.*arg=%2Fdocker/)
    const cut = await openKuboStore([new KuboNode(way.url)], directory)
    await cut.store.uploads.create('u', 'some')
    await cut.store.uploads.append('u', 0, whole(data))
    await assert.rejects(cut.store.commit({ uploads: [{ id: 'u', path, digest }] }), StorageFailedError)
    await cut.close()
    await way.close()
    await kubo.ipfs('files', 'rm', '-r', '/disco')
    await kubo.ipfs('repo', 'gc', '-q')
    const { store, close } = await openKuboStore(nodesOf([kubo]), directory)
    assert.ok((await collect(store.read(path))).equals(data))
    assert.equal(await store.uploads.stat('u'), undefined)
    await close()
  }))

  it('loses nothing that two processes commit at once', withStore(async ({ store, directory }) => {
    const writer = join(ROOT, 'test/e2e/kubo/store-writer.ts')
    const others = ['one', 'two'].map((name) => spawn(process.execPath, [writer, kubo.url, directory, name, '15'], { stdio: ['ignore', 'ignore', 'inherit'] }))
    for (let i = 0; i < 15; i++) await store.commit({ changes: [put(`${REPOSITORIES}/shared/three/${i}`, 'x'), put(`disco/three/${i}`, 'x')] })
    for (const other of others) {
      if (other.exitCode === null) await once(other, 'exit')
      assert.equal(other.exitCode, 0)
    }
    for (const name of ['one', 'two', 'three']) {
      assert.equal((await store.list(`${REPOSITORIES}/shared/${name}`)).length, 15)
      assert.equal((await store.list(`disco/${name}`)).length, 15)
    }
  }))

  it('asks few calls of Kubo, and tells how many', withStore(async ({ directory }) => {
    const way = await DyingKubo.before(kubo.url)
    const { store, close } = await openKuboStore([new KuboNode(way.url)], directory)
    try {
      const image = imageOf(12)
      const layers = image.entries.map(({ digest }) => put(inRepository('app', within.layer(digest)), 'x'))
      await store.commit({ changes: layers })
      const before = { calls: way.calls, changes: way.changes }
      await store.commit({ changes: [...globalRepositories(image), ...image.entries.map(({ digest }) => ({ delete: inRepository('app', within.layer(digest)) }))] })
      assert.ok(way.changes - before.changes <= 7, `${way.changes - before.changes} changes: ${way.commands.slice(before.calls).join(' ')}`)
      assert.ok(way.calls - before.calls <= 40, `${way.calls - before.calls} calls`)
    } finally {
      await close()
      await way.close()
    }
  }))
})

describe('a store on three Kubos', { timeout: 240_000 }, () => {
  const kubos: Kubo[] = []

  before(async () => {
    for (let i = 0; i < 3; i++) kubos.push(await Kubo.start())
  })
  after(async () => {
    for (const kubo of kubos) await kubo.remove()
  })

  it('comes to the end of every commit, whenever a node is killed', async () => {
    const directory = await emptied(kubos)
    const opened = await openKuboStore(nodesOf(kubos), directory)
    const { store } = opened
    const [, victim] = kubos
    const batch = (i: number): Batch => ({ changes: [...'abcdef'.split('').map((name): Change => put(`${REPOSITORIES}/${name}/${i}`, String(i))), put(`disco/${i}`, String(i))] })
    const known = new Set<number>()
    const failed = new Set<number>()
    for (let i = 0; i < 40; i++) {
      if (i % 10 === 3) void sleep(Math.random() * 40).then(() => victim?.kill())
      try {
        await store.commit(batch(i))
        known.add(i)
      } catch (error) {
        assert.ok(error instanceof StorageFailedError, String(error))
        failed.add(i)
      }
      if (i % 10 === 6) {
        await sleep(60)
        await victim?.up()
      }
    }
    assert.ok(failed.size > 0, 'it was killed')
    const found = await objectsOf(store)
    for (let i = 0; i < 40; i++) {
      const there = 'abcdef'.split('').map((name) => found.has(`${REPOSITORIES}/${name}/${i}`)).concat(found.has(`disco/${i}`))
      assert.ok(known.has(i) ? there.every(Boolean) : there.every((each) => each === there[0]), `commit ${i}: ${there.join(' ')}`)
    }
    await opened.close()
    await removed(directory)
  })

  it('serves what others have while a node is down, and proves no absence', async () => {
    const directory = await emptied(kubos)
    const opened = await openKuboStore(nodesOf(kubos), directory)
    const { store, nodes } = opened
    const down = (path: string): boolean => nodes.all.indexOf(nodes.nodeOf(path)) === 2
    const names = 'abcdefghijkl'.split('').map((name) => `${REPOSITORIES}/${name}/x`)
    await store.commit({ changes: names.map((path) => put(path, path)) })
    const copied = names.find(down) ?? ''
    // Where a set of nodes has grown, what is asked for may be on another than its own.
    await kubos[0]?.ipfs('files', 'mkdir', '-p', `/${copied.slice(0, -2)}`)
    await nodes.all[0]?.write(`/${copied}`, text(copied), { flush: true })
    await kubos[2]?.kill()
    for (const path of names) {
      if (!down(path) || path === copied) assert.equal(bytes(await store.get(path)).toString(), path)
      else await assert.rejects(store.get(path), StorageFailedError)
    }
    await assert.rejects(store.get(`${REPOSITORIES}/nothing/x`), StorageFailedError)
    await assert.rejects(store.stat(`${REPOSITORIES}/nothing/x`), StorageFailedError)
    await assert.rejects(collect(store.read(`${REPOSITORIES}/nothing/x`)), StorageFailedError)
    await assert.rejects(store.list(`${REPOSITORIES}/nothing`), StorageFailedError)
    await assert.rejects(store.commit({ changes: names.map((path) => put(path, 'new')) }), StorageFailedError)
    for (const path of names.filter((each) => !down(each))) assert.equal(bytes(await store.get(path)).toString(), path)
    await kubos[2]?.up()
    assert.equal(await store.get(`${REPOSITORIES}/nothing/x`), undefined)
    await store.commit({ changes: names.map((path) => ({ delete: path })) })
    assert.deepEqual(await store.list(REPOSITORIES), [])
    await opened.close()
    await removed(directory)
  })
})

/** An image of so many layers, as a push lays it out. */
function imageOf(layers: number, seed = 0): GlobalImage {
  const entries = Array.from({ length: layers + 1 }, (_, i): PlacedEntry => {
    const data = text(`${seed} ${i}`)
    return { digest: digestOf(data), size: data.length, manifest: i === 0, blob: i > 0, cid: layoutFile(chunkHashesOf(data), data.length).root }
  })
  const digest = entries[0]?.digest ?? digestOf(text(''))
  const tree = repositoryTree(digest, entries)
  return { cid: layoutTree(tree).root, digest, entries, tree }
}

async function* whole(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield data
}
