import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { digestOf } from '../../../src/oci/digest.ts'
import { bucketPlaces as places } from '../../../src/registry/paths.ts'
import { ConflictError, StorageFailedError, UploadBusyError } from '../../../src/storage/errors.ts'
import type { Batch } from '../../../src/storage/object-store.ts'
import { S3Bucket } from '../../../src/storage/bucket/s3/bucket.ts'
import { BucketStore } from '../../../src/storage/bucket/store.ts'
import { bytes, collect, fill, text } from '../../contract/bytes.ts'
import { S3Server } from '../harness/s3.ts'
import { DyingBucket } from './dying-bucket.ts'

const NAME = 'docker/registry/v2/repositories/some/name'
const TAG = `${NAME}/_manifests/tags/latest/current/link`

let server: S3Server
before(async () => {
  server = await S3Server.start()
})
after(() => server.remove())

async function replicas(count: number, run: (stores: readonly BucketStore[]) => Promise<void>): Promise<void> {
  const options = await server.bucket()
  const stores = await Promise.all(Array.from({ length: count }, () => BucketStore.open(S3Bucket.of(options), { places })))
  try {
    await run(stores)
  } finally {
    await Promise.all(stores.map((store) => store.close()))
  }
}

/** Does it anew until nobody came in between. */
async function persistently(work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error
    }
  }
}

describe('several stores on one bucket', { timeout: 240_000 }, () => {
  it('lose no update that expected what it changed', () => replicas(3, async (stores) => {
    const [first] = stores
    await first?.commit({ changes: [{ put: TAG, data: text('0') }] })
    await Promise.all(stores.flatMap((store) => [0, 1].map(async () => {
      for (let i = 0; i < 8; i++) {
        await persistently(async () => {
          const data = bytes(await store.get(TAG))
          await store.commit({ expect: [{ path: TAG, data }], changes: [{ put: TAG, data: text(String(Number(data) + 1)) }] })
        })
      }
    })))
    assert.equal(bytes(await first?.get(TAG)).toString(), '48')
  }))

  it('leave what one commit wrote, whole, whoever came last', () => replicas(3, async (stores) => {
    const paths = [`${NAME}/_manifests/revisions/sha256/a/link`, `${NAME}/_manifests/tags/latest/index/sha256/a/link`, TAG]
    await Promise.all(stores.flatMap((store, s) => Array.from({ length: 6 }, async (_, i) => {
      await store.commit({ changes: paths.map((put) => ({ put, data: text(`${s} ${i}`) })) })
    })))
    const found = await Promise.all(paths.map(async (path) => bytes(await stores[0]?.get(path)).toString()))
    assert.equal(new Set(found).size, 1, found.join(', '))
  }))

  it('either delete a name as it was seen, or let be what came meanwhile', () => replicas(2, async ([one, two]) => {
    assert.ok(one !== undefined && two !== undefined)
    const tags = `${NAME}/_manifests/tags`
    for (let i = 0; i < 10; i++) {
      await one.commit({ changes: [{ delete: NAME }, { put: TAG, data: text('old') }] })
      const [gone, pushed]: PromiseSettledResult<void>[] = await Promise.allSettled([
        one.commit({ expect: [{ directory: tags, names: ['latest'] }, { path: TAG, data: text('old') }], changes: [{ delete: NAME }] }),
        two.commit({ changes: [{ put: `${NAME}/_manifests/revisions/sha256/${i}/link`, data: text('') }, { put: `${tags}/new/current/link`, data: text('new') }] }),
      ])
      assert.equal(pushed?.status, 'fulfilled')
      const left: string[] = await two.list(tags)
      assert.deepEqual(left, gone?.status === 'fulfilled' ? ['new'] : ['latest', 'new'])
    }
  }))

  it('take many locks in any order, and never wait in a circle', () => replicas(3, async (stores) => {
    const names = Array.from({ length: 6 }, (_, i) => `docker/registry/v2/repositories/n${i}/_manifests/tags/t/current/link`)
    await Promise.all(stores.flatMap((store, s) => Array.from({ length: 5 }, async (_, i) => {
      const some = names.filter((__, n) => (n + i + s) % 2 === 0)
      await store.commit({ changes: (i % 2 === 0 ? some : some.toReversed()).map((put) => ({ put, data: text(`${s}${i}`) })) })
    })))
    for (const name of names) assert.ok((await stores[0]?.get(name)) !== undefined)
  }))

  it('go on with an upload of each other, in pieces of any size', () => replicas(3, async (stores) => {
    const at = (index: number): BucketStore => stores[index % stores.length] ?? assert.fail()
    const data = fill(31_242_888)
    await at(0).uploads.create('u', 'n')
    let size = 0
    for (const [index, step] of [1_000_000, 3, 6_000_000, 0, 5_242_880, 10_000_000, 5, 9_000_000].entries()) {
      const part = data.subarray(size, size + step)
      size = await at(index).uploads.append('u', size, (async function* () { yield part })())
      assert.equal((await at(index + 1).uploads.stat('u'))?.size, size)
    }
    assert.ok((await collect(at(2).uploads.read('u', { start: 900_000, length: 8_000_000 }))).equals(data.subarray(900_000, 8_900_000)))
    assert.equal(size, data.byteLength)
    const path = 'docker/registry/v2/blobs/sha256/ab/abcd/data'
    await at(1).commit({ uploads: [{ id: 'u', path, digest: digestOf(data) }] })
    assert.ok((await collect(at(2).read(path))).equals(data))
    assert.deepEqual((await at(0).bucket.page('.disco/uploads/')).objects, [])
  }))

  it('write nothing when they have been stopped for longer than their lease, whatever they were about to', async () => {
    const paths = [`${NAME}/_manifests/revisions/sha256/a/link`, TAG]
    const batch = (value: string): Batch => ({ changes: paths.map((put) => ({ put, data: text(value) })) })
    // Before it notes what it does, and before each of two objects that it puts; the first request takes the lock.
    await Promise.all([2, 3, 4].map(async (change) => {
      const own = await server.bucket()
      const way = new DyingBucket(own)
      const [stopped, other] = [await BucketStore.open(way.bucket, { places }), await BucketStore.open(S3Bucket.of(own), { places })]
      const stopping = way.stopAt(change)
      const commit = stopped.commit(batch('old'))
      const go = await stopping
      await other.commit(batch('new'))
      go()
      await commit.catch((error: unknown) => assert.ok(error instanceof StorageFailedError, String(error)))
      await stopped.close()
      const found = await Promise.all(paths.map(async (path) => bytes(await other.get(path)).toString()))
      assert.ok(found.every((value) => value === found[0]), `${change}: ${found.join(', ')}`)
      assert.equal(found[0], 'new', String(change))
      await other.close()
    }))
  })

  it('take over an upload whose owner died, and not before he is given up', async () => {
    const options = await server.bucket()
    const way = new DyingBucket(options)
    const dying = await BucketStore.open(way.bucket, { places })
    const other = await BucketStore.open(S3Bucket.of(options), { places })
    const data = fill(11_000_000)
    await dying.uploads.create('u', 'n')
    await dying.uploads.append('u', 0, (async function* () { yield data.subarray(0, 1000) })())
    const append = dying.uploads.append('u', 1000, (async function* () {
      yield data.subarray(1000, 10_600_000)
      way.dieAt()
      yield data.subarray(10_600_000)
    })())
    await assert.rejects(append)
    await assert.rejects(other.uploads.append('u', 1000, (async function* () {})()), UploadBusyError)
    let size = 0
    for (const deadline = Date.now() + 40_000; size === 0 && Date.now() < deadline; ) {
      const at = (await other.uploads.stat('u'))?.size ?? 0
      size = await other.uploads.append('u', at, (async function* () { yield data.subarray(at) })()).catch(() => 0)
      if (size === 0) await new Promise((resolve) => setTimeout(resolve, 500))
    }
    assert.equal(size, data.byteLength)
    await other.commit({ uploads: [{ id: 'u', path: 'blob', digest: digestOf(data) }] })
    assert.ok((await collect(other.read('blob'))).equals(data))
    assert.deepEqual((await other.bucket.page('.disco/uploads/')).objects, [])
    await other.close()
  })
})
