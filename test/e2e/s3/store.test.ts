import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { digestOf } from '../../../src/oci/digest.ts'
import { bucketPlaces as places } from '../../../src/registry/paths.ts'
import { S3Bucket } from '../../../src/storage/bucket/s3/bucket.ts'
import { makeClient } from '../../../src/storage/bucket/s3/client.ts'
import { S3OptionsError, settle, type S3Options } from '../../../src/storage/bucket/s3/options.ts'
import { BucketStore } from '../../../src/storage/bucket/store.ts'
import { Sweeper } from '../../../src/storage/bucket/sweeper.ts'
import { collect, fill, text } from '../../contract/bytes.ts'
import { objectStoreContract } from '../../contract/object-store.ts'
import { S3Server } from '../harness/s3.ts'

let server: S3Server
before(async () => {
  server = await S3Server.start()
})
after(() => server.remove())

const contract = (name: string, more: Partial<S3Options>): void => objectStoreContract(name, async () => {
  const options = { ...(await server.bucket()), ...more }
  let store = await BucketStore.open(S3Bucket.of(options), { places })
  const others: BucketStore[] = []
  return {
    store,
    // The server keeps objects as files.
    leavesOnly: true,
    // … and answers with names in XML, though asked for others.
    plainNames: true,
    tick: 1000,
    reopen: async () => {
      await store.close()
      store = await BucketStore.open(S3Bucket.of(options), { places })
      return store
    },
    again: async () => {
      const other = await BucketStore.open(S3Bucket.of(options), { places })
      others.push(other)
      return other
    },
    files: async () => {
      const { objects } = await store.bucket.page('')
      return objects.filter(({ path }) => !/^\.disco\/(?:chunks|locks|journal|conditions)\b/.test(path)).length
    },
    close: async () => {
      for (const each of [store, ...others]) await each.close()
    },
  }
})

contract('a bucket of S3', {})
contract('a bucket of S3 below a directory, with the rules of R2', { rootDirectory: '/some/directory/', r2: true, chunkSize: 5 * 1024 * 1024 })

describe('a bucket of S3', () => {
  it('says all that is wrong with what it was told', () => {
    const wrong: S3Options = { bucket: '', accessKey: 'a', chunkSize: 1000, storageClass: 'GOLD', objectAcl: 'all', multipartCopyMaxConcurrency: 0 }
    assert.throws(() => S3Bucket.of(wrong), (error) => error instanceof S3OptionsError
      && ['bucket', 'region', 'secretkey', 'storageclass GOLD', 'objectacl all', 'chunksize', 'multipartcopymaxconcurrency'].every((part) => error.message.includes(part)))
  })

  it('is not used with a server that does not heed the conditions of writes', async () => {
    const settled = settle(await server.bucket())
    const client = makeClient(settled)
    client.middlewareStack.add((next) => async (args) => {
      const { headers } = args.request as { headers: Record<string, string> }
      for (const name of ['if-match', 'if-none-match']) delete headers[name]
      return next(args)
    }, { step: 'build', name: 'heedless' })
    await assert.rejects(BucketStore.open(new S3Bucket(client, settled), { places }), /does not heed/)
  })

  it('has objects where Distribution looks for them', async () => {
    const options = { ...(await server.bucket()), rootDirectory: '/deep/er' }
    const store = await BucketStore.open(S3Bucket.of(options), { places })
    await store.commit({ changes: [{ put: 'docker/registry/v2/x', data: text('x') }] })
    assert.equal(await readFile(join(server.files(options), 'deep/er/docker/registry/v2/x'), 'utf8'), 'x')
    await store.close()
  })

  it('gives URLs under which an object is had from the server', async () => {
    const store = await BucketStore.open(S3Bucket.of(await server.bucket()), { places })
    await store.commit({ changes: [{ put: 'a/b c+d', data: text('told') }] })
    const answer = await fetch(await store.presigned('a/b c+d', 'GET', 60) ?? '')
    assert.equal(await answer.text(), 'told')
    const head = await fetch(await store.presigned('a/b c+d', 'HEAD', 60) ?? '', { method: 'HEAD' })
    assert.equal(head.headers.get('content-length'), '4')
    const url = new URL(await store.presigned('a/b c+d', 'GET', 60) ?? '')
    url.pathname += 'x'
    assert.equal((await fetch(url)).status, 403)
    await store.close()
  })

  it('copies large pieces in parts', async () => {
    const data = fill(17_000_000)
    const options = { ...(await server.bucket()), chunkSize: 16_000_000, multipartCopyThresholdSize: 6_000_000, multipartCopyChunkSize: 5_300_000, multipartCopyMaxConcurrency: 3 }
    const store = await BucketStore.open(S3Bucket.of(options), { places })
    await store.uploads.create('u', 'n')
    await store.uploads.append('u', 0, (async function* () { yield data })())
    await store.commit({ uploads: [{ id: 'u', path: 'blob', digest: digestOf(data) }] })
    assert.ok((await collect(store.read('blob'))).equals(data))
    await store.close()
  })

  it('takes away what processes that died have left, and nothing else', async () => {
    const bucket = S3Bucket.of(await server.bucket())
    const store = await BucketStore.open(bucket, { places })
    const blob = 'docker/registry/v2/blobs/sha256/ab/abcd/data'
    await store.uploads.create('alive', 'n')
    await store.uploads.append('alive', 0, (async function* () { yield text('x') })())
    for (const path of ['.disco/uploads/dead/00000-x', '.disco/journal/over']) await bucket.put(path, text('x'))
    for (const path of [blob, 'of/somebody/else']) await bucket.client.send(new CreateMultipartUploadCommand({ Bucket: bucket.name, Key: path }))
    const sweeper = new Sweeper(bucket, places)
    await sweeper.sweep({}, Date.now() - 60_000)
    assert.equal((await bucket.page('.disco/uploads/')).objects.length, 3)
    await sweeper.sweep({}, Date.now() + 60_000)
    assert.deepEqual((await bucket.page('.disco/uploads/')).objects.map(({ path }) => path.replace(/-.*/, '')), ['.disco/uploads/alive/00000', '.disco/uploads/alive/session'])
    assert.deepEqual((await bucket.page('.disco/journal/')).objects, [])
    const { Uploads = [] } = await bucket.client.send(new ListMultipartUploadsCommand({ Bucket: bucket.name }))
    assert.deepEqual(Uploads.map(({ Key }) => Key), ['of/somebody/else'])
    await store.close()
  })
})
