import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { digestOf } from '../../../src/oci/digest.ts'
import { bucketPlaces as places } from '../../../src/registry/paths.ts'
import { StorageFailedError } from '../../../src/storage/errors.ts'
import { S3Bucket } from '../../../src/storage/bucket/s3/bucket.ts'
import type { S3Options } from '../../../src/storage/bucket/s3/options.ts'
import { BucketStore } from '../../../src/storage/bucket/store.ts'
import { bytes, collect, fill, text } from '../../contract/bytes.ts'
import { S3Server } from '../harness/s3.ts'
import { Toxiproxy, type Toxic } from '../harness/toxiproxy.ts'

const DATA = fill(12_000_000)
const PATH = 'docker/registry/v2/blobs/sha256/ab/abcd/data'
const LINK = 'docker/registry/v2/repositories/n/_manifests/tags/t/current/link'

/** A server of its own, and a way to it on which there may be faults. */
class Place {
  readonly server: S3Server
  readonly way: Toxiproxy

  private constructor(server: S3Server, way: Toxiproxy) {
    this.server = server
    this.way = way
  }

  static async make(): Promise<Place> {
    const server = await S3Server.start()
    return new Place(server, await Toxiproxy.before(server.host))
  }

  async remove(): Promise<void> {
    await this.way.remove()
    await this.server.remove()
  }

  async opened(run: (store: BucketStore) => Promise<void>): Promise<void> {
    const { bucket } = await this.server.bucket()
    const store = await BucketStore.open(S3Bucket.of(this.server.options(bucket, this.way.host)), { places })
    try {
      await run(store)
    } finally {
      await store.close()
    }
  }
}

async function* slices(data: Uint8Array = DATA, pause = 0): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.byteLength; at += 65_536) {
    if (pause > 0) await sleep(pause)
    yield data.subarray(at, at + 65_536)
  }
}

/** A push and a pull, in short. */
async function passes(store: BucketStore, data: Uint8Array = DATA): Promise<void> {
  await store.uploads.create('u', 'n')
  await store.uploads.append('u', 0, slices(data))
  await store.commit({ uploads: [{ id: 'u', path: PATH, digest: digestOf(data) }], changes: [{ put: LINK, data: text('link') }] })
  assert.ok((await collect(store.read(PATH))).equals(data))
  assert.deepEqual(bytes(await store.get(LINK)), text('link'))
  assert.equal(await store.get('none'), undefined)
  assert.equal(await store.uploads.stat('u'), undefined)
}

// Some wait for as long as a network may be silent.
describe('faults of a bucket', { concurrency: true, timeout: 280_000 }, () => {
  describe('a bucket behind a bad network', { concurrency: 1, timeout: 240_000 }, () => {
    let place: Place
    before(async () => {
      place = await Place.make()
    })
    after(() => place.remove())

    const faults: readonly (readonly [string, Toxic, Uint8Array?])[] = [
      ['answers late', { type: 'latency', stream: 'downstream', attributes: { latency: 100, jitter: 50 } }],
      ['is slow', { type: 'bandwidth', stream: 'upstream', attributes: { rate: 2000 } }],
      ['gives bytes in bits', { type: 'slicer', stream: 'downstream', attributes: { average_size: 2000, size_variation: 500, delay: 10 } }, fill(3_000_000)],
      ['cuts every connection after some bytes to the client', { type: 'limit_data', stream: 'downstream', attributes: { bytes: 1_500_000 } }],
      ['cuts one connection in three before it answers', { type: 'reset_peer', stream: 'downstream', attributes: { timeout: 0 }, toxicity: 0.3 }, fill(3_000_000)],
      ['cuts connections after some bytes to the server', { type: 'limit_data', stream: 'upstream', attributes: { bytes: 11_000_000 } }],
    ]
    for (const [what, toxic, data] of faults) {
      it(`gets and gives all, when it ${what}`, () => place.opened((store) => place.way.with(toxic, () => passes(store, data))))
    }
  })

  describe('a bucket behind a network that swallows all', { concurrency: 1, timeout: 240_000 }, () => {
    let place: Place
    before(async () => {
      place = await Place.make()
    })
    after(() => place.remove())

    it('fails within a minute where nothing comes, and is no absence', () => place.opened(async (store) => {
      await store.commit({ changes: [{ put: LINK, data: text('link') }] })
      await place.way.with({ type: 'timeout', stream: 'downstream', attributes: { timeout: 0 } }, async () => {
        const began = performance.now()
        await Promise.all([
          assert.rejects(store.get(LINK), StorageFailedError),
          assert.rejects(store.get('none'), StorageFailedError),
          assert.rejects(store.stat('none'), StorageFailedError),
          assert.rejects(store.list(''), StorageFailedError),
          assert.rejects(collect(store.read('none')), StorageFailedError),
          assert.rejects(store.commit({ changes: [{ put: LINK, data: text('other') }] }), StorageFailedError),
          assert.rejects(store.uploads.create('u', 'n'), StorageFailedError),
        ])
        assert.ok(performance.now() - began < 60_000)
      })
      assert.deepEqual(bytes(await store.get(LINK)), text('link'))
    }))

    it('ends at once when the signal aborts', () => place.opened(async (store) => {
      await store.commit({ changes: [{ put: LINK, data: text('link') }] })
      await place.way.with({ type: 'timeout', stream: 'downstream', attributes: { timeout: 0 } }, async () => {
        const began = performance.now()
        const signal = (): AbortSignal => AbortSignal.timeout(200)
        const works = [store.get(LINK, { signal: signal() }), store.stat(LINK, { signal: signal() }), store.list('', { signal: signal() }), collect(store.read(LINK, { signal: signal() }))]
        await Promise.all(works.map((work) => assert.rejects(work, { name: 'TimeoutError' })))
        assert.ok(performance.now() - began < 3000)
      })
    }))
  })

  describe('a bucket whose server goes', { concurrency: 1, timeout: 240_000 }, () => {
    let place: Place
    before(async () => {
      place = await Place.make()
    })
    after(() => place.remove())

    it('goes on where it was, when it is back within seconds', () => place.opened(async (store) => {
      await store.uploads.create('u', 'n')
      const append = store.uploads.append('u', 0, slices(DATA, 5))
      await sleep(400)
      await place.server.kill()
      await sleep(2000)
      await place.server.up()
      assert.equal(await append, DATA.byteLength)
      await store.commit({ uploads: [{ id: 'u', path: PATH, digest: digestOf(DATA) }] })
      const reader = store.read(PATH)[Symbol.asyncIterator]()
      const read: Uint8Array[] = [Buffer.from((await reader.next()).value ?? [])]
      await place.server.kill()
      setTimeout(() => void place.server.up(), 1500)
      for (let next = await reader.next(); next.done !== true; next = await reader.next()) read.push(Buffer.from(next.value))
      assert.ok(Buffer.concat(read).equals(DATA))
    }))

    it('keeps what it has acknowledged, when it stays away, and says so', () => place.opened(async (store) => {
      await store.uploads.create('u', 'n')
      await store.uploads.append('u', 0, slices(DATA.subarray(0, 100_000)))
      await store.commit({ changes: [{ put: LINK, data: text('one') }, { put: 'x/y', data: text('') }] })
      await place.server.kill()
      const outcomes = await Promise.allSettled([
        store.uploads.append('u', 100_000, slices(DATA.subarray(100_000))),
        store.commit({ changes: [{ put: LINK, data: text('two') }, { put: 'x/y', data: text('z') }] }),
      ])
      for (const outcome of outcomes) assert.ok(outcome.status === 'rejected' && outcome.reason instanceof StorageFailedError)
      await place.server.up()
      await sleep(21_000)
      const size = (await store.uploads.stat('u'))?.size ?? 0
      assert.ok(size >= 100_000)
      await store.uploads.append('u', size, slices(DATA.subarray(size)))
      await store.commit({ uploads: [{ id: 'u', path: PATH, digest: digestOf(DATA) }] })
      assert.ok((await collect(store.read(PATH))).equals(DATA))
      await store.commit({ expect: [{ path: 'none', data: undefined }, { path: 'x/none', data: undefined }, { path: `${LINK}/none`, data: undefined }] })
      const [tag, other] = [bytes(await store.get(LINK)).toString(), bytes(await store.get('x/y')).toString()]
      assert.ok((tag === 'one' && other === '') || (tag === 'two' && other === 'z'), `${tag} ${other}`)
    }))
  })

  describe('a bucket that says no', { timeout: 240_000 }, () => {
    it('is asked again later, when it is asked too much', async () => {
      const busy = await S3Server.start('--max-requests', '3')
      const store = await BucketStore.open(S3Bucket.of(await busy.bucket()), { places })
      await Promise.all(Array.from({ length: 60 }, (_, i) => store.commit({ changes: [{ put: `docker/registry/v2/repositories/n/_layers/sha256/${i}/link`, data: text(String(i)) }] })))
      assert.equal((await store.list('docker/registry/v2/repositories/n/_layers/sha256')).length, 60)
      await store.close()
      await busy.remove()
    })

    it('does not pass for one where nothing is, nor do its secrets get into errors', async () => {
      const server = await S3Server.start()
      const right = await server.bucket()
      const wrong: readonly S3Options[] = [
        { ...right, bucket: 'no-such-bucket' }, { ...right, secretKey: 'not-this-secret' }, { ...right, accessKey: 'nobody-of-this-name' },
      ]
      for (const each of wrong) {
        await assert.rejects(BucketStore.open(S3Bucket.of(each), { places }), (error) => {
          assert.ok(error instanceof StorageFailedError)
          const told = inspect(error, { depth: 10, showHidden: true })
          for (const secret of [each.secretKey, each.accessKey, 'Signature=', 'Credential=']) assert.ok(!told.includes(secret ?? '-'), told)
          return true
        })
      }
      const store = await BucketStore.open(S3Bucket.of(right), { places })
      await rm(server.files(right), { recursive: true })
      await assert.rejects(store.get('a'), StorageFailedError)
      await assert.rejects(store.stat('a'), StorageFailedError)
      await assert.rejects(store.list(''), StorageFailedError)
      await assert.rejects(collect(store.read('a')), StorageFailedError)
      await assert.rejects(store.uploads.stat('u'), StorageFailedError)
      await store.close()
      await server.remove()
    })
  })
})
