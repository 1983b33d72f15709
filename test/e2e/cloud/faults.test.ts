import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { digestOf } from '../../../src/oci/digest.ts'
import { bucketPlaces as places } from '../../../src/registry/paths.ts'
import { azureBucket } from '../../../src/storage/bucket/azure/open.ts'
import type { Bucket } from '../../../src/storage/bucket/bucket.ts'
import { gcsBucket } from '../../../src/storage/bucket/gcs/open.ts'
import { BucketStore } from '../../../src/storage/bucket/store.ts'
import { StorageFailedError } from '../../../src/storage/errors.ts'
import { bytes, collect, fill, text } from '../../contract/bytes.ts'
import { Azurite } from '../harness/azurite.ts'
import { FakeGcs } from '../harness/gcs.ts'
import { loadPackage } from '../harness/packages.ts'
import { Toxiproxy, type Toxic } from '../harness/toxiproxy.ts'

const DATA = fill(12_000_000)
const PATH = 'docker/registry/v2/blobs/sha256/ab/abcd/data'
const LINK = 'docker/registry/v2/repositories/some/name/_manifests/tags/v1/current/link'

interface Server {
  readonly host: string
  remove(): Promise<void>
  /** A new bucket, by another way to the same server. */
  bucket(host: string): Promise<Bucket>
}

const SERVERS: Readonly<Record<string, () => Promise<Server>>> = {
  azure: async () => {
    const server = await Azurite.start()
    const at = async (host: string): Promise<Bucket> => {
      const options = await server.container()
      return azureBucket({ ...options, serviceUrl: (options.serviceUrl ?? '').replace(server.host, host) }, loadPackage)
    }
    return { host: server.host, remove: () => server.remove(), bucket: at }
  },
  gcs: async () => {
    const server = await FakeGcs.start()
    return { host: server.host, remove: () => server.remove(), bucket: async (host) => gcsBucket({ ...(await server.bucket()), endpoint: `http://${host}` }, loadPackage) }
  },
}

const FAULTS: readonly (readonly [string, Toxic])[] = [
  ['answers late', { type: 'latency', stream: 'downstream', attributes: { latency: 50, jitter: 25 } }],
  ['cuts every connection after some bytes to the client', { type: 'limit_data', stream: 'downstream', attributes: { bytes: 1_500_000 } }],
  ['cuts one connection in four before it answers', { type: 'reset_peer', stream: 'downstream', attributes: { timeout: 0 }, toxicity: 0.25 }],
]

for (const [name, start] of Object.entries(SERVERS)) {
  describe(`a bucket of ${name} behind a bad network`, { timeout: 240_000 }, () => {
    let server: Server
    let way: Toxiproxy
    before(async () => {
      server = await start()
      way = await Toxiproxy.before(server.host)
    })
    after(async () => {
      await way.remove()
      await server.remove()
    })

    async function opened(run: (store: BucketStore) => Promise<void>): Promise<void> {
      const store = await BucketStore.open(await server.bucket(way.host), { places })
      try {
        await run(store)
      } finally {
        await store.close()
      }
    }

    for (const [what, toxic] of FAULTS) {
      it(`gets and gives all, when it ${what}`, () => opened((store) => way.with(toxic, async () => {
        await store.uploads.create('u', 'n')
        await store.uploads.append('u', 0, (async function* () { yield DATA.slice() })())
        await store.commit({ uploads: [{ id: 'u', path: PATH, digest: digestOf(DATA) }], changes: [{ put: LINK, data: text('link') }] })
        assert.ok((await collect(store.read(PATH))).equals(DATA))
        assert.deepEqual(bytes(await store.get(LINK)), text('link'))
        assert.equal(await store.get('none'), undefined)
      })))
    }

    it('fails within a minute where nothing comes, and is no absence; and goes on when it does', () => opened(async (store) => {
      await store.commit({ changes: [{ put: LINK, data: text('link') }] })
      const began = performance.now()
      await way.with({ type: 'timeout', stream: 'downstream', attributes: { timeout: 0 } }, async () => {
        await Promise.all([
          assert.rejects(store.get(LINK), StorageFailedError),
          assert.rejects(store.get('none'), StorageFailedError),
          assert.rejects(store.stat('none'), StorageFailedError),
          assert.rejects(store.list(''), StorageFailedError),
          assert.rejects(collect(store.read('none')), StorageFailedError),
          assert.rejects(store.uploads.create('u', 'n'), StorageFailedError),
        ])
      })
      assert.ok(performance.now() - began < 60_000)
      assert.deepEqual(bytes(await store.get(LINK)), text('link'))
    }))

    it('is left alone at once by who gives up', () => opened(async (store) => {
      await way.with({ type: 'timeout', stream: 'downstream', attributes: { timeout: 0 } }, async () => {
        const began = performance.now()
        await assert.rejects(store.get(LINK, { signal: AbortSignal.timeout(300) }), { name: 'TimeoutError' })
        await assert.rejects(store.stat(LINK, { signal: AbortSignal.timeout(300) }), { name: 'TimeoutError' })
        assert.ok(performance.now() - began < 5000)
      })
    }))
  })
}
