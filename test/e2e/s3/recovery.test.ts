import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { bucketPlaces as places } from '../../../src/registry/paths.ts'
import { S3Bucket } from '../../../src/storage/bucket/s3/bucket.ts'
import { BucketStore } from '../../../src/storage/bucket/store.ts'
import { bytes, text } from '../../contract/bytes.ts'
import { S3Server } from '../harness/s3.ts'
import { DyingBucket } from './dying-bucket.ts'

const NAME = 'docker/registry/v2/repositories/some/name'
const LAYER = `${NAME}/_layers/sha256/abcd/link`
const TAG = `${NAME}/_manifests/tags/latest/current/link`

let server: S3Server
before(async () => {
  server = await S3Server.start()
})
after(() => server.remove())

describe('what a process had begun that died', { concurrency: true, timeout: 120_000 }, () => {
  it('is finished by another, though nobody wants to change the same', async () => {
    const options = await server.bucket()
    const other = await BucketStore.open(S3Bucket.of(options), { places })
    await other.commit({ changes: [{ put: TAG, data: text('old') }, { put: `${NAME}/_manifests/revisions/sha256/a/link`, data: text('old') }] })
    const way = new DyingBucket(options)
    const dying = await BucketStore.open(way.bucket, { places })
    // After its lock, its note, and one of two objects.
    way.dieAt(4)
    await assert.rejects(dying.commit({ changes: [{ put: `${NAME}/_manifests/revisions/sha256/a/link`, data: text('new') }, { put: TAG, data: text('new') }] }))
    assert.deepEqual(bytes(await other.get(TAG)), text('old'))
    const deadline = Date.now() + 60_000
    while (Date.now() < deadline && bytes(await other.get(TAG)).toString() === 'old') await sleep(500)
    assert.deepEqual(bytes(await other.get(TAG)), text('new'))
    assert.deepEqual(bytes(await other.get(`${NAME}/_manifests/revisions/sha256/a/link`)), text('new'))
    await other.close()
  })

  it('takes nothing away that has been put since without a lock', async () => {
    const options = await server.bucket()
    const other = await BucketStore.open(S3Bucket.of(options), { places })
    await other.commit({ changes: [{ put: LAYER, data: text('link') }, { put: TAG, data: text('old') }] })
    const way = new DyingBucket(options)
    const dying = await BucketStore.open(way.bucket, { places })
    way.dieAt(3)
    await assert.rejects(dying.commit({ changes: [{ delete: LAYER }, { delete: TAG }] }))
    // Servers count seconds.
    await sleep(1100)
    await other.commit({ changes: [{ put: LAYER, data: text('link') }] })
    await other.commit({ changes: [{ put: `${NAME}/_manifests/tags/other/current/link`, data: text('') }] })
    assert.deepEqual(bytes(await other.get(LAYER)), text('link'))
    assert.equal(await other.get(TAG), undefined)
    await other.close()
  })
})
