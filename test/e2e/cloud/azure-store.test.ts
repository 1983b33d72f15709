import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { digestOf } from '../../../src/oci/digest.ts'
import { bucketPlaces as places } from '../../../src/registry/paths.ts'
import { azureBucket } from '../../../src/storage/bucket/azure/open.ts'
import { AzureOptionsError, type AzureOptions } from '../../../src/storage/bucket/azure/options.ts'
import { BucketStore } from '../../../src/storage/bucket/store.ts'
import { StorageFailedError } from '../../../src/storage/errors.ts'
import { collect, fill, text } from '../../contract/bytes.ts'
import { Azurite } from '../harness/azurite.ts'
import { loadPackage } from '../harness/packages.ts'
import { bucketContract } from './store-contract.ts'

let server: Azurite
before(async () => {
  server = await Azurite.start()
})
after(() => server.remove())

// Its emulator fails at a list with a name that XML has no room for, and sorts as JavaScript does.
for (const [name, more] of [['a container of Azure', {}], ['a container of Azure below a directory', { rootDirectory: '/some/directory/' }]] as const) {
  bucketContract(name, { tick: 1000, plainNames: true, sortsByUnits: true }, async () => {
    const options = { ...(await server.container()), ...more }
    return () => azureBucket(options, loadPackage)
  })
}

describe('a container of Azure', () => {
  const opened = async (options: AzureOptions): Promise<BucketStore> => BucketStore.open(azureBucket(options, loadPackage), { places })

  it('makes one blob of many pieces', async () => {
    const store = await opened(await server.container())
    const data = fill(42_000_000)
    await store.uploads.create('u', 'n')
    await store.uploads.append('u', 0, (async function* () { yield data })())
    await store.commit({ uploads: [{ id: 'u', path: 'blob', digest: digestOf(data) }] })
    assert.ok((await collect(store.read('blob'))).equals(data))
    assert.ok((await collect(store.read('blob', { start: 10_000_000, length: 5_000_000 }))).equals(Buffer.from(data).subarray(10_000_000, 15_000_000)))
    await store.close()
  })

  it('has both who make the same blob at once succeed', async () => {
    const options = await server.container()
    const stores = await Promise.all([1, 2, 3].map(() => opened(options)))
    const data = fill(25_000_000)
    const path = 'docker/registry/v2/blobs/sha256/ab/abcd/data'
    await Promise.all(stores.map(async (store, index) => {
      await store.uploads.create(`u${index}`, 'n')
      await store.uploads.append(`u${index}`, 0, (async function* () { yield data.slice() })())
      await store.commit({ uploads: [{ id: `u${index}`, path, digest: digestOf(data) }] })
    }))
    for (const store of stores) assert.ok((await collect(store.read(path))).equals(data))
    await Promise.all(stores.map((store) => store.close()))
  })

  it('gives URLs under which a blob is had from the server, and no other', async () => {
    const store = await opened(await server.container())
    await store.commit({ changes: [{ put: 'a/b c+d', data: text('told') }, { put: 'a/other', data: text('secret') }] })
    const url = await store.presigned('a/b c+d', 'GET', 60) ?? assert.fail()
    assert.equal(await (await fetch(url)).text(), 'told')
    assert.equal((await fetch(url, { method: 'HEAD' })).headers.get('content-length'), '4')
    assert.equal((await fetch(url, { method: 'DELETE' })).status, 403)
    const other = new URL(await store.presigned('a/other', 'GET', 60) ?? '')
    other.search = new URL(url).search
    assert.equal((await fetch(other)).status, 403)
    const over = await store.presigned('a/b c+d', 'GET', -1) ?? assert.fail()
    assert.equal((await fetch(over)).status, 403)
    await store.close()
  })

  it('takes the place of a blob that Distribution has appended to', async () => {
    const options = await server.container()
    const { ContainerClient, StorageSharedKeyCredential } = loadPackage('@azure/storage-blob') as {
      ContainerClient: new (url: string, credential: unknown) => { getAppendBlobClient(name: string): { create(): Promise<unknown>; appendBlock(data: string, size: number): Promise<unknown> } }
      StorageSharedKeyCredential: new (account: string, key: string) => unknown
    }
    const theirs = new ContainerClient(`${options.serviceUrl}/${options.container}`, new StorageSharedKeyCredential(options.accountName, options.accountKey ?? '')).getAppendBlobClient('docker/registry/v2/x')
    await theirs.create()
    await theirs.appendBlock('theirs', 6)
    const store = await opened(options)
    assert.equal(Buffer.from(await store.get('docker/registry/v2/x') ?? []).toString(), 'theirs')
    await store.commit({ changes: [{ put: 'docker/registry/v2/x', data: text('ours') }] })
    assert.equal(Buffer.from(await store.get('docker/registry/v2/x') ?? []).toString(), 'ours')
    await store.close()
  })

  it('says what is wrong with what it was told, and no secret', async () => {
    const wrong: AzureOptions = { accountName: '', container: '', credentials: { type: 'client_secret', secret: 'very-secret' } }
    assert.throws(() => azureBucket(wrong, loadPackage), (error) => error instanceof AzureOptionsError
      && ['accountname', 'container', 'clientid', 'tenantid'].every((part) => error.message.includes(part)) && !error.message.includes('very-secret'))
    for (const [options, message] of [
      [server.options('missing'), /ContainerNotFound/],
      [{ ...(await server.container()), accountKey: Buffer.from('another key').toString('base64') }, /AuthorizationFailure|AuthenticationFailed/],
      [{ ...server.options('x'), serviceUrl: 'http://127.0.0.1:1/x' }, /ECONNREFUSED/],
    ] as const) {
      await assert.rejects(opened(options), (error) => error instanceof StorageFailedError && message.test(error.message) && !error.message.includes('\n'))
    }
  })
})
