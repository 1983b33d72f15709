import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { digestOf } from '../../../src/oci/digest.ts'
import { bucketPlaces as places } from '../../../src/registry/paths.ts'
import { StorageFailedError } from '../../../src/storage/errors.ts'
import { S3Bucket } from '../../../src/storage/bucket/s3/bucket.ts'
import { BucketStore } from '../../../src/storage/bucket/store.ts'
import { collect, fill } from '../../contract/bytes.ts'
import { makeCertificates } from '../clients/certificates.ts'
import { run } from '../harness/command.ts'
import { S3Server } from '../harness/s3.ts'
import { Scene } from '../harness/scene.ts'

describe('a bucket behind TLS', { timeout: 120_000 }, () => {
  let scene: Scene
  let server: S3Server
  before(async () => {
    scene = await Scene.begin()
    const { certificate, key } = await makeCertificates(scene.directory)
    server = await S3Server.start('--cert', certificate, '--key', key)
    scene.atEnd(() => server.remove())
  })
  after(() => scene.end())

  it('gives and gets all, in whatever pieces it is read', async () => {
    const store = await BucketStore.open(S3Bucket.of(await server.bucket()), { places })
    const data = fill(9_000_000)
    await store.uploads.create('u', 'n')
    await store.uploads.append('u', 0, (async function* () { yield data })())
    await store.commit({ uploads: [{ id: 'u', path: 'blob', digest: digestOf(data) }] })
    for (const prompt of [false, true]) {
      assert.ok((await collect(store.read('blob', { prompt }))).equals(data))
      assert.ok((await collect(store.read('blob', { prompt, start: 4_000_001, length: 3_000_000 }))).equals(data.subarray(4_000_001, 7_000_001)))
    }
    const many = await Promise.all(Array.from({ length: 40 }, (_, i) => collect(store.read('blob', { start: i * 1000, length: 2_000_000 }))))
    for (const [i, bytes] of many.entries()) assert.ok(bytes.equals(data.subarray(i * 1000, i * 1000 + 2_000_000)))
    // One that lets each chunk lie for a while, which must stay as it is.
    const slow: Buffer[] = []
    for await (const chunk of store.read('blob', { length: 3_000_000, prompt: true })) {
      const copy = Buffer.from(chunk)
      await new Promise((resolve) => setTimeout(resolve, 20))
      assert.ok(copy.equals(chunk))
      slow.push(copy)
    }
    assert.ok(Buffer.concat(slow).equals(data.subarray(0, 3_000_000)))
    await store.close()
  })
})

describe('a bucket behind a certificate that nobody signed', { timeout: 120_000 }, () => {
  it('is used only where it may be', async () => {
    const scene = await Scene.begin()
    try {
      const [certificate, key] = [join(scene.directory, 'own.pem'), join(scene.directory, 'own-key.pem')]
      await run('openssl', [
        'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1',
        '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate,
      ])
      const server = await S3Server.start('--cert', certificate, '--key', key)
      scene.atEnd(() => server.remove())
      const options = await server.bucket()
      await assert.rejects(BucketStore.open(S3Bucket.of(options), { places }), StorageFailedError)
      const store = await BucketStore.open(S3Bucket.of({ ...options, skipVerify: true }), { places })
      await store.commit({ changes: [{ put: 'a', data: fill(100_000) }] })
      assert.ok((await collect(store.read('a'))).equals(fill(100_000)))
      await store.close()
    } finally {
      await scene.end()
    }
  })
})
