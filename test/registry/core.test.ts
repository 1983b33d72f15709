import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { digestOf, formatDigest, parseDigest } from '../../src/oci/digest.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import { MAX_MANIFEST_BYTES, MAX_REFERENCES } from '../../src/registry/limits.ts'
import { blobData, inRepository, within } from '../../src/registry/paths.ts'
import { UploadBusyError } from '../../src/storage/errors.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { bytesOf, chunks, collect, digestText, imageIndex, imageManifest, pushBlob, pushImage, refused } from './sample.ts'

const ABSENT = digestText(bytesOf('absent'))

let store: MemoryStore
let registry: RegistryCore
beforeEach(() => {
  store = new MemoryStore()
  registry = new RegistryCore(store)
})

describe('blobs', () => {
  it('are there for the repository that they were pushed to', async () => {
    const digest = await pushBlob(registry, 'a/b', bytesOf('hello world'))
    const blob = await registry.blob('a/b', digest)
    assert.equal(blob.size, 11)
    assert.equal(await collect(blob.read()), 'hello world')
    assert.equal(await collect(blob.read({ start: 6, length: 3 })), 'wor')
    await refused(registry.blob('other', digest), 'NAME_UNKNOWN')
    await refused(registry.blob('a/b', ABSENT), 'BLOB_UNKNOWN')
  })

  it('have well-formed names and digests', async () => {
    for (const name of ['', 'A', '../a', 'a//b', 'a/', '/a', 'a/../b', 'x'.repeat(256)]) await refused(registry.blob(name, ABSENT), 'NAME_INVALID')
    for (const digest of ['', 'sha256:', 'sha256:xyz', 'md5:d41d8cd98f00b204e9800998ecf8427e', `sha256:${'A'.repeat(64)}`]) {
      await refused(registry.blob('a', digest), 'DIGEST_INVALID')
    }
  })

  it('are mounted from any repository that has them and may be read, neighbours first', async () => {
    const digest = await pushBlob(registry, 'far/away', bytesOf('shared'))
    await pushBlob(registry, 'team/one', bytesOf('shared'))
    const asked: string[] = []
    const mayPull = (name: string): boolean => { asked.push(name); return name === 'team/one' }
    assert.equal(await registry.mount('team/two', digest, { mayPull: () => false }), undefined)
    assert.equal(await registry.mount('team/two', ABSENT, {}), undefined)
    assert.deepEqual(await registry.mount('team/two', digest, { mayPull }), parseDigest(digest))
    assert.equal(asked[0], 'team/one')
    assert.equal(await registry.mount('other', digest, { from: 'far/away', mayPull }), undefined)
    await refused(registry.mount('other', 'sha256:x', {}), 'DIGEST_INVALID')
  })

  it('are looked for in a bounded number of repositories', async () => {
    const digest = await pushBlob(registry, 'z', bytesOf('shared'))
    await store.commit({ changes: Array.from({ length: 1200 }, (_, index) => ({ put: inRepository(`n${index}`, '_layers/x'), data: bytesOf('') })) })
    let asked = 0
    assert.equal(await registry.mount('to', digest, { mayPull: () => ++asked > 0 }), undefined)
    assert.ok(asked > 400 && asked <= 1000, `asked ${asked}`)
  })

  it('are mounted from a repository that has them', async () => {
    const digest = await pushBlob(registry, 'from', bytesOf('shared'))
    assert.equal(await registry.mount('to', digest, { from: 'nowhere' }), undefined)
    assert.equal(await registry.mount('to', ABSENT, { from: 'from' }), undefined)
    assert.equal(await registry.mount('to', digest, { from: '../from' }), undefined)
    assert.deepEqual(await registry.mount('to', digest, { from: 'from' }), parseDigest(digest))
    assert.equal(await collect((await registry.blob('to', digest)).read()), 'shared')
  })
})

describe('uploads', () => {
  it('grow by appends and become a blob, also by sha512', async () => {
    const { id } = await registry.startUpload('a')
    assert.equal((await registry.appendUpload('a', id, 0, chunks(bytesOf('one ')))).size, 4)
    assert.equal((await registry.appendUpload('a', id, undefined, chunks(bytesOf('two')))).size, 7)
    assert.deepEqual(await registry.upload('a', id), { id, size: 7 })
    const digest = digestOf(bytesOf('one two'), 'sha512')
    await registry.finishUpload('a', id, formatDigest(digest))
    assert.equal(await collect((await registry.blob('a', formatDigest(digest))).read()), 'one two')
    await refused(registry.upload('a', id), 'BLOB_UPLOAD_UNKNOWN')
  })

  it('go on in another process', async () => {
    const { id } = await registry.startUpload('a')
    await registry.appendUpload('a', id, 0, chunks(bytesOf('one ')))
    const other = new RegistryCore(store)
    await other.appendUpload('a', id, 4, chunks(bytesOf('two')))
    await other.finishUpload('a', id, digestText(bytesOf('one two')))
    assert.equal((await registry.blob('a', digestText(bytesOf('one two')))).size, 7)
  })

  it('belong to their repository', async () => {
    const { id } = await registry.startUpload('a')
    await refused(registry.upload('b', id), 'BLOB_UPLOAD_UNKNOWN')
    await refused(registry.appendUpload('b', id, 0, chunks()), 'BLOB_UPLOAD_UNKNOWN')
    await refused(registry.finishUpload('b', id, digestText(bytesOf(''))), 'BLOB_UPLOAD_UNKNOWN')
    await refused(registry.cancelUpload('b', id), 'BLOB_UPLOAD_UNKNOWN')
    for (const wrong of ['', '..', '../../x', id.toUpperCase() + 'x']) await refused(registry.upload('a', wrong), 'BLOB_UPLOAD_UNKNOWN')
  })

  it('refuse a wrong offset and tell the right one', async () => {
    const { id } = await registry.startUpload('a')
    await registry.appendUpload('a', id, 0, chunks(bytesOf('four')))
    const error = await refused(registry.appendUpload('a', id, 9, chunks(bytesOf('x'))), 'BLOB_UPLOAD_INVALID', 416)
    assert.equal(error.headers['Range'], '0-3')
    assert.equal((await registry.upload('a', id)).size, 4)
  })

  it('refuse a second append meanwhile', async () => {
    const { id } = await registry.startUpload('a')
    const gate = Promise.withResolvers<void>()
    const slow = registry.appendUpload('a', id, 0, (async function* () {
      yield bytesOf('slow')
      await gate.promise
    })())
    await new Promise((resolve) => setImmediate(resolve))
    await refused(registry.appendUpload('a', id, undefined, chunks(bytesOf('fast'))), 'BLOB_UPLOAD_INVALID', 409)
    gate.resolve()
    assert.equal((await slow).size, 4)
  })

  it('with another digest than said leave nothing', async () => {
    const { id } = await registry.startUpload('a')
    await registry.appendUpload('a', id, 0, chunks(bytesOf('bytes')))
    await refused(registry.finishUpload('a', id, 'sha256:short'), 'DIGEST_INVALID')
    await refused(registry.finishUpload('a', id, ABSENT), 'DIGEST_INVALID')
    await refused(registry.upload('a', id), 'BLOB_UPLOAD_UNKNOWN')
    await refused(registry.blob('a', ABSENT), 'NAME_UNKNOWN')
  })

  it('are cancelled, and purged when they are old', async () => {
    const { id } = await registry.startUpload('a')
    await registry.cancelUpload('a', id)
    await refused(registry.upload('a', id), 'BLOB_UPLOAD_UNKNOWN')
    const { id: old } = await registry.startUpload('a')
    assert.equal(await registry.removeUploads(({ modifiedAt }) => modifiedAt < Date.now() - 60_000), 0)
    assert.equal(await registry.removeUploads(({ repository, size }) => repository !== '' && size >= 0), 1)
    await refused(registry.upload('a', old), 'BLOB_UPLOAD_UNKNOWN')
  })
})

describe('an upload with another digest', () => {
  it('is told of, also where it could not be removed', async () => {
    const { id } = await registry.startUpload('a')
    store.uploads.remove = () => Promise.reject(new UploadBusyError(id))
    await refused(registry.finishUpload('a', id, ABSENT), 'DIGEST_INVALID', 400)
  })
})

describe('manifests', () => {
  it('are read by tag and by digest, byte for byte', async () => {
    const bytes = await pushImage(registry, 'a/b/c', 'v1')
    for (const reference of ['v1', digestText(bytes)]) {
      const manifest = await registry.manifest('a/b/c', reference)
      assert.equal(Buffer.from(manifest.bytes).toString(), bytes.toString())
      assert.equal(formatDigest(manifest.digest), digestText(bytes))
      assert.equal(manifest.mediaType, 'application/vnd.oci.image.manifest.v1+json')
    }
    await refused(registry.manifest('a/b/c', 'v2'), 'MANIFEST_UNKNOWN')
    await refused(registry.manifest('a/b/c', '.not-a-tag'), 'MANIFEST_UNKNOWN')
    await refused(registry.manifest('a/b/c', 'sha256:short'), 'DIGEST_INVALID')
    await refused(registry.manifest('a/b', digestText(bytes)), 'NAME_UNKNOWN')
  })

  it('move a tag and stay as revisions', async () => {
    const first = await pushImage(registry, 'a', 'latest', 'first')
    const second = await pushImage(registry, 'a', 'latest', 'second')
    assert.equal(formatDigest((await registry.manifest('a', 'latest')).digest), digestText(second))
    assert.equal(formatDigest((await registry.manifest('a', digestText(first))).digest), digestText(first))
  })

  it('name every missing reference', async () => {
    const config = bytesOf('config')
    await pushBlob(registry, 'a', config)
    const bytes = imageManifest(config, [bytesOf('l1'), bytesOf('l2')])
    const error = await refused(registry.putManifest('a', { reference: 'v1', bytes }), 'MANIFEST_BLOB_UNKNOWN', 404)
    assert.deepEqual(error.detail, { digests: [digestText(bytesOf('l1')), digestText(bytesOf('l2'))] })
    await refused(registry.manifest('a', 'v1'), 'MANIFEST_UNKNOWN')
    await refused(registry.manifest('a', digestText(bytes)), 'MANIFEST_UNKNOWN')
  })

  it('may lack layers of foreign types that are found elsewhere, and no others', async () => {
    const config = bytesOf('config')
    await pushBlob(registry, 'a', config)
    const layer = (mediaType: string): object => ({ mediaType, digest: ABSENT, size: 6, urls: ['https://elsewhere.test/layer'] })
    const put = (...layers: object[]): Promise<unknown> => registry.putManifest('a', { reference: 'v1', bytes: imageManifest(config, [], { layers }) })
    await refused(put(layer('application/vnd.oci.image.layer.v1.tar')), 'MANIFEST_BLOB_UNKNOWN')
    await refused(put({ ...layer('application/vnd.docker.image.rootfs.foreign.diff.tar'), urls: [] }), 'MANIFEST_BLOB_UNKNOWN')
    await put(layer('application/vnd.docker.image.rootfs.foreign.diff.tar'), layer('application/vnd.oci.image.layer.nondistributable.v1.tar+zstd'))
    assert.deepEqual((await registry.tags('a')).entries, ['v1'])
    await refused(registry.blob('a', ABSENT), 'BLOB_UNKNOWN')
  })

  it('may be indexes of what is in the repository', async () => {
    const child = await pushImage(registry, 'a', digestText(imageManifest(bytesOf('config of a'), [bytesOf('layer of a')])))
    await registry.putManifest('a', { reference: 'all', bytes: imageIndex([child]) })
    await refused(registry.putManifest('b', { reference: 'all', bytes: imageIndex([child]) }), 'MANIFEST_BLOB_UNKNOWN')
  })

  it('may refer to what the caller knows, which brings all of it into the repository', async () => {
    const child = await pushImage(registry, 'a', 'v1')
    const bytes = imageIndex([child])
    const asked: string[] = []
    const known = async (_: string, digest: Parameters<typeof formatDigest>[0]): Promise<boolean> => asked.push(formatDigest(digest)) > 0
    const prepared = await registry.prepareManifest('b', { reference: 'all', bytes }, { known })
    assert.deepEqual(prepared.tags, ['all'])
    assert.ok(asked.includes(digestText(child)))
    await store.commit({ changes: prepared.changes })
    await registry.manifest('b', digestText(child))
    await registry.blob('b', digestText(bytesOf('layer of a')))
    await refused(registry.prepareManifest('b', { reference: 'v', bytes: imageManifest(bytesOf('nowhere'), []) }, { known }), 'MANIFEST_BLOB_UNKNOWN')
  })

  it('write the links of their layers again, and the tag last', async () => {
    const bytes = await pushImage(registry, 'a', 'v1')
    const { changes } = await registry.prepareManifest('a', { reference: 'v1', bytes })
    const puts = changes.map((change) => ('put' in change ? change.put : assert.fail('a delete')))
    assert.equal(puts.filter((path) => path.includes('/_layers/')).length, 2)
    assert.match(puts[0] ?? '', /^docker\/registry\/v2\/blobs\/.*\/data$/)
    assert.match(puts.at(-1) ?? '', /\/tags\/v1\/current\/link$/)
  })

  it('match the digest that they are pushed to', async () => {
    const bytes = imageIndex([])
    await refused(registry.putManifest('a', { reference: ABSENT, bytes }), 'DIGEST_INVALID')
    await refused(registry.putManifest('a', { reference: 'sha256:short', bytes }), 'DIGEST_INVALID')
    await refused(registry.putManifest('a', { reference: '-x', bytes }), 'MANIFEST_INVALID')
    const sha512 = formatDigest(digestOf(bytes, 'sha512'))
    await registry.putManifest('a', { reference: sha512, bytes })
    assert.equal(formatDigest((await registry.manifest('a', sha512)).digest), sha512)
  })

  it('are refused when they are none, too large, or of another type than said', async () => {
    const put = (bytes: Buffer, contentType?: string): Promise<unknown> => registry.putManifest('a', { reference: 'v1', bytes, contentType })
    await refused(put(bytesOf('no json')), 'MANIFEST_INVALID')
    await refused(put(bytesOf('{}')), 'MANIFEST_INVALID')
    await refused(put(bytesOf(JSON.stringify({ schemaVersion: 2, mediaType: 'text/html', layers: [] }))), 'MANIFEST_INVALID')
    await refused(put(imageIndex([]), 'application/vnd.oci.image.manifest.v1+json'), 'MANIFEST_INVALID')
    await refused(put(Buffer.alloc(MAX_MANIFEST_BYTES + 1, 32)), 'MANIFEST_INVALID', 413)
    assert.equal(await registry.exists('a'), false)
  })

  it('are refused, at once, when they nest too deep or hold too many values, and not when they hold many', async () => {
    const config = bytesOf('{}')
    await pushBlob(registry, 'a', config)
    const put = (extra: string): Promise<unknown> =>
      registry.putManifest('a', { reference: 'v1', bytes: bytesOf(`${imageManifest(config, []).toString().slice(0, -1)},"x":${extra}}`) })
    const wrong = ['['.repeat(2_000_000) + ']'.repeat(2_000_000), '{"a":'.repeat(64) + '1' + '}'.repeat(64), `[${'{},'.repeat(1_300_000)}1]`, `[${'1,'.repeat(200_000)}1]`]
    for (const extra of wrong) {
      const began = performance.now()
      const { message } = await refused(put(extra), 'MANIFEST_INVALID', 400)
      assert.match(message, /nested more than 64 deep|more than 150000 keys and values/)
      assert.ok(performance.now() - began < 200)
    }
    await put('['.repeat(60) + ']'.repeat(60))
    await put(JSON.stringify(Array.from({ length: 2_000 }, () => ({ '[{"\\': Array(20).fill('[{,:"\\') }))))
    await put(JSON.stringify('[{,:"\\'.repeat(200_000)))
  })

  it('are refused when they refer to more than an image may have, before anything is looked up', async () => {
    const many = Array.from({ length: MAX_REFERENCES + 1 }, (_, index) => bytesOf(`layer ${index}`))
    store.stat = () => assert.fail('looked up')
    await refused(registry.putManifest('a', { reference: 'v1', bytes: imageManifest(bytesOf('config'), many) }), 'MANIFEST_INVALID')
  })

  it('are refused when they are indexes of indexes of indexes and so on', async () => {
    let child = await pushImage(registry, 'a', 'v0')
    for (let depth = 1; depth <= 4; depth++) {
      child = imageIndex([child])
      await registry.putManifest('a', { reference: `v${depth}`, bytes: child })
    }
    await refused(registry.putManifest('a', { reference: 'v5', bytes: imageIndex([child]) }), 'MANIFEST_INVALID')
  })

  it('are not brought into memory where what is stored is far too large for one', async () => {
    const large = Buffer.alloc(MAX_MANIFEST_BYTES + 1)
    const digest = digestOf(large)
    const link = Buffer.from(formatDigest(digest))
    await store.commit({ changes: [{ put: blobData(digest), data: large }, { put: inRepository('a', within.revision(digest)), data: link }] })
    store.get = () => assert.fail('read whole')
    await refused(registry.prepareManifest('a', { reference: 'v1', bytes: imageIndex([large]) }), 'MANIFEST_INVALID', 413)
  })

  it('need no subject to be there', async () => {
    const subject = { mediaType: 'application/x', digest: ABSENT, size: 1 }
    const config = bytesOf('{}')
    await pushBlob(registry, 'a', config)
    const receipt = await registry.putManifest('a', { reference: 'v1', bytes: imageManifest(config, [], { subject }) })
    assert.deepEqual(receipt.subject, parseDigest(ABSENT))
  })
})

describe('lists', () => {
  it('page through tags in the order of their bytes', async () => {
    for (const tag of ['b', 'a', 'B', '10', '9', 'a.1']) await pushImage(registry, 'a', tag)
    assert.deepEqual(await registry.tags('a'), { entries: ['10', '9', 'B', 'a', 'a.1', 'b'], more: false })
    assert.deepEqual(await registry.tags('a', { limit: 2 }), { entries: ['10', '9'], more: true })
    assert.deepEqual(await registry.tags('a', { limit: 4, after: '9' }), { entries: ['B', 'a', 'a.1', 'b'], more: false })
    assert.deepEqual(await registry.tags('a', { limit: 0 }), { entries: [], more: false })
    assert.deepEqual(await registry.tags('a', { after: 'zzz' }), { entries: [], more: false })
    await refused(registry.tags('b'), 'NAME_UNKNOWN')
  })

  it('walk repositories of several segments in the order of their bytes, whatever the page', async () => {
    const names = ['a', 'a-b', 'a-b/c', 'a.b', 'a/b', 'a/b/c', 'a0', 'a_b', 'b/c/d/e', 'b/c-d', 'z']
    for (const name of names.toReversed()) await pushImage(registry, name, 'v1', 'same')
    await pushBlob(registry, 'layers-only', bytesOf('x'))
    const sorted = names.toSorted()
    assert.deepEqual(await registry.catalog(), { entries: sorted, more: false })
    for (let limit = 1; limit <= sorted.length; limit++) {
      const seen: string[] = []
      for (let more = true; more && seen.length <= sorted.length;) {
        const page = await registry.catalog({ limit, after: seen.at(-1) })
        seen.push(...page.entries)
        more = page.more
      }
      assert.deepEqual(seen, sorted, `pages of ${limit}`)
    }
    for (const after of ['', 'a-', 'a/', 'a/b0', 'A', 'zz', '..', 'a/..', '!']) {
      assert.deepEqual((await registry.catalog({ after })).entries, sorted.filter((name) => name > after), `after ${after}`)
    }
  })

  it('let others have a turn, however many directories are no repositories', async () => {
    const link = bytesOf(ABSENT)
    await store.commit({ changes: Array.from({ length: 500 }, (_, index) => ({ put: inRepository(`n${index}`, '_layers/x'), data: link })) })
    const client = new AbortController()
    setImmediate(() => client.abort())
    await assert.rejects(registry.catalog({ signal: client.signal }), { name: 'AbortError' })
  })

  it('know which repositories there are', async () => {
    await pushImage(registry, 'a/b', 'v1')
    assert.equal(await registry.exists('a/b'), true)
    assert.equal(await registry.exists('a'), false)
  })
})
