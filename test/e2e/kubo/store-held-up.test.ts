import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import pino from 'pino'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import { KuboNodes } from '../../../src/ipfs/kubo/nodes/nodes.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { blobData, REPOSITORIES } from '../../../src/registry/paths.ts'
import { StorageFailedError, UploadBusyError } from '../../../src/storage/errors.ts'
import { bytes, collect, fill } from '../../contract/bytes.ts'
import { put } from '../../contract/commits.ts'
import { Kubo } from '../harness/kubo.ts'
import { DyingKubo } from './dying-kubo.ts'
import { emptied, nodesOf, openKuboStore, removed } from './kubo-store-scene.ts'

/** What puts a commit's files in their places. */
const PUTTING = /files.(?:cp|write).*arg=%2Fdocker/
const NAMES = 'abcdefghijkl'.split('').map((name) => `${REPOSITORIES}/${name}/x`)

describe('a commit that was cut off', { timeout: 120_000 }, () => {
  const kubos: Kubo[] = []

  before(async () => {
    for (let i = 0; i < 3; i++) kubos.push(await Kubo.start())
  })
  after(async () => {
    for (const kubo of kubos) await kubo.remove()
  })

  it('holds up what it concerns until its node is back, and nothing else', async () => {
    const directory = await emptied(kubos)
    const way = await DyingKubo.before(kubos[2]?.url ?? '', PUTTING)
    const { store, nodes, close } = await openKuboStore([...nodesOf(kubos.slice(0, 2)), new KuboNode(way.url)], directory)
    const node = (path: string): number => nodes.all.indexOf(nodes.nodeOf(path))
    const [there = '', , other = ''] = NAMES.filter((path) => node(path) === 0)
    const gone = NAMES.find((path) => node(path) === 2) ?? ''
    await assert.rejects(store.commit({ changes: [put(there, 'x'), put(gone, 'x'), put('disco/one', 'x')] }), StorageFailedError)
    await store.commit({ changes: [put(other, 'other'), put('disco/two', 'x')] })
    assert.equal(bytes(await store.get(other)).toString(), 'other')
    await assert.rejects(store.get(there), StorageFailedError)
    await assert.rejects(store.commit({ changes: [put(there, 'later')] }), StorageFailedError)
    await assert.rejects(store.commit({ changes: [put(other, 'x'), put('disco/one', 'later')] }), StorageFailedError)
    await close()
    await way.close()
    const back = await openKuboStore(nodesOf(kubos), directory)
    await back.store.commit({ changes: [put(other, 'again')] })
    for (const path of [there, gone, 'disco/one']) assert.equal(bytes(await back.store.get(path)).toString(), 'x')
    await back.close()
    await removed(directory)
  })

  it('keeps the upload that it is to place', async () => {
    const directory = await emptied(kubos)
    const data = fill(50_000)
    const [path, digest] = [blobData(digestOf(data)), digestOf(data)]
    const node = new KuboNodes(nodesOf(kubos)).nodeOf(path)
    const way = await DyingKubo.before(node.name, PUTTING)
    const { store, uploads, close } = await openKuboStore([new KuboNode(way.url)], directory)
    await uploads.create('u', 'some')
    await uploads.append('u', 0, (async function* () { yield data })())
    await assert.rejects(store.commit({ uploads: [{ id: 'u', path, digest }] }), StorageFailedError)
    await assert.rejects(uploads.remove('u'), UploadBusyError)
    await close()
    await way.close()
    const back = await openKuboStore([node], directory)
    assert.ok((await collect(back.store.read(path))).equals(data))
    assert.equal(await back.uploads.stat('u'), undefined)
    await back.close()
    await removed(directory)
  })

  it('is given up, loudly, when its blob is nowhere any more, and leaves nothing that shows', async () => {
    const [kubo] = kubos
    assert.ok(kubo)
    const directory = await emptied([kubo])
    const data = fill(3_000_000, 7)
    const [path, digest, link] = [blobData(digestOf(data)), digestOf(data), `${REPOSITORIES}/app/_layers/sha256/${digestOf(data).hex}/link`]
    const way = await DyingKubo.before(kubo.url, PUTTING)
    const cut = await openKuboStore([new KuboNode(way.url)], directory)
    const [node] = nodesOf([kubo])
    const cid = await node?.add((async function* () { yield data })())
    assert.ok(cid)
    await cut.uploads.adopt('u', { cid, size: data.length, digest, path, repository: 'app' })
    await assert.rejects(cut.store.commit({ uploads: [{ id: 'u', path, digest }], changes: [put(link, 'x')] }), StorageFailedError)
    await cut.close()
    await way.close()
    await kubo.ipfs('files', 'rm', '-r', '/disco')
    await kubo.ipfs('repo', 'gc', '-q')
    const said: string[] = []
    const { store, close } = await openKuboStore(nodesOf([kubo]), directory, pino({ level: 'error' }, { write: (line: string) => void said.push(line) }))
    const began = performance.now()
    await store.commit({ changes: [put(`${REPOSITORIES}/other/x`, 'x')] })
    assert.ok(performance.now() - began < 10_000)
    assert.match(said.join(), new RegExp(`${digest.hex}.*given up`))
    assert.equal(said.length, 1)
    for (const each of [path, link]) assert.equal(await store.get(each), undefined)
    assert.equal(bytes(await store.get(`${REPOSITORIES}/other/x`)).toString(), 'x')
    await close()
    await removed(directory)
  })
})
