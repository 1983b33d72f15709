import assert from 'node:assert/strict'
import { createHash, createPublicKey, createVerify } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { digestOf } from '../../../src/oci/digest.ts'
import { bucketPlaces as places } from '../../../src/registry/paths.ts'
import { gcsBucket } from '../../../src/storage/bucket/gcs/open.ts'
import { GcsOptionsError, type GcsOptions } from '../../../src/storage/bucket/gcs/options.ts'
import { BucketStore } from '../../../src/storage/bucket/store.ts'
import { StorageFailedError } from '../../../src/storage/errors.ts'
import { collect, fill, text } from '../../contract/bytes.ts'
import { FakeGcs } from '../harness/gcs.ts'
import { loadPackage } from '../harness/packages.ts'
import { bucketContract } from './store-contract.ts'

const STEP = 256 * 1024

let server: FakeGcs
before(async () => {
  server = await FakeGcs.start()
})
after(() => server.remove())

for (const [name, more] of [['a bucket of GCS', {}], ['a bucket of GCS below a directory, in small pieces', { rootDirectory: '/some/directory/', chunkSize: STEP }]] as const) {
  bucketContract(name, { tick: 1000 }, async () => {
    const options = { ...(await server.bucket()), ...more }
    return () => gcsBucket(options, loadPackage)
  })
}

describe('a bucket of GCS', () => {
  const opened = async (options: GcsOptions): Promise<BucketStore> => BucketStore.open(gcsBucket(options, loadPackage), { places })

  it('makes one object of more pieces than Google composes at a time, and leaves nothing of what was between', async () => {
    const store = await opened({ ...(await server.bucket()), chunkSize: STEP })
    const data = fill(40 * STEP + 1)
    await store.uploads.create('u', 'n')
    await store.uploads.append('u', 0, (async function* () { yield data })())
    await store.commit({ uploads: [{ id: 'u', path: 'blob', digest: digestOf(data) }] })
    assert.ok((await collect(store.read('blob'))).equals(data))
    assert.ok((await collect(store.read('blob', { start: STEP - 1, length: STEP }))).equals(Buffer.from(data).subarray(STEP - 1, 2 * STEP - 1)))
    assert.deepEqual((await store.bucket.page('.disco/uploads/')).objects, [])
    await store.close()
  })

  it('gives URLs for GET that its account has signed, and none without a key', async () => {
    const options = await server.bucket()
    const store = await opened(options)
    await store.commit({ changes: [{ put: 'a/b c+d', data: text('told') }] })
    const url = new URL(await store.presigned('a/b c+d', 'GET', 60) ?? '')
    assert.equal(await (await fetch(url)).text(), 'told')
    // The emulator takes any signature: so it is looked at here, as Google describes it.
    const { searchParams, pathname, host } = url
    assert.equal(searchParams.get('X-Goog-Expires'), '60')
    const signature = searchParams.get('X-Goog-Signature') ?? ''
    const date = searchParams.get('X-Goog-Date') ?? ''
    const scope = (searchParams.get('X-Goog-Credential') ?? '').split('/').slice(1).join('/')
    const query = url.search.slice(1).split('&').filter((part) => !part.startsWith('X-Goog-Signature=')).toSorted().join('&')
    const request = ['GET', pathname, query, `host:${host.split(':')[0]}\n`, searchParams.get('X-Goog-SignedHeaders'), 'UNSIGNED-PAYLOAD'].join('\n')
    const signed = ['GOOG4-RSA-SHA256', date, scope, createHash('sha256').update(request).digest('hex')].join('\n')
    const verify = createVerify('RSA-SHA256').update(signed)
    const key = createPublicKey(server.credentials['private_key'] ?? '')
    assert.ok(verify.verify(key, signature, 'hex'), request)
    assert.equal(await store.presigned('a/b c+d', 'HEAD', 60), undefined)
    await store.close()
    const { credentials, ...anonymous } = options
    assert.ok(credentials !== undefined)
    const keyless = await opened(anonymous)
    assert.equal(await keyless.presigned('a/b c+d', 'GET', 60), undefined)
    await keyless.close()
  })

  it('says what is wrong with what it was told, and no secret', async () => {
    const wrong: GcsOptions = { bucket: '', chunkSize: 1000, credentials: { client_email: 'x', private_key: '', secret: 'very-secret' } }
    assert.throws(() => gcsBucket(wrong, loadPackage), (error) => error instanceof GcsOptionsError
      && ['bucket is missing', 'chunksize', 'no private_key'].every((part) => error.message.includes(part)) && !error.message.includes('very-secret'))
    assert.throws(() => gcsBucket({ bucket: 'x', keyFile: '/is/not/there' }, loadPackage), /keyfile \/is\/not\/there: ENOENT/)
    for (const [options, message] of [[server.options('missing'), /\(404\)/], [{ ...server.options('x'), endpoint: 'http://127.0.0.1:1' }, /ECONNREFUSED/]] as const) {
      await assert.rejects(opened(options), (error) => error instanceof StorageFailedError && message.test(error.message) && !error.message.includes('\n'))
    }
  })
})
