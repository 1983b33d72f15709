import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import pino from 'pino'
import { tierPlaces } from '../../../src/global/tier-places.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { bucketPlaces, blobData, inRepository, within } from '../../../src/registry/paths.ts'
import { S3Bucket } from '../../../src/storage/bucket/s3/bucket.ts'
import type { S3Options } from '../../../src/storage/bucket/s3/options.ts'
import { BucketStore } from '../../../src/storage/bucket/store.ts'
import { MemoryStore } from '../../../src/storage/memory/store.ts'
import type { ChunkHashes, ObjectStore } from '../../../src/storage/object-store.ts'
import { TieredStore, type TieredStoreParts } from '../../../src/storage/tiered/store.ts'
import { bytes, collect, fill } from '../../contract/bytes.ts'
import { objectsOf, same } from '../../contract/commits.ts'
import { objectStoreContract, type OpenedStore } from '../../contract/object-store.ts'
import { CID, imageChanges, pushBlob, tagChanges } from '../../storage/tier-scene.ts'
import { allFixed } from '../../storage/tiered-places.ts'
import { Kubo } from '../harness/kubo.ts'
import { S3Server } from '../harness/s3.ts'
import { belowStore } from '../kubo/below-store.ts'
import { emptied, nodesOf, openKuboStore, removed } from '../kubo/kubo-store-scene.ts'

type Store = ObjectStore & ChunkHashes
type Roles = Pick<TieredStoreParts, 'first' | 'strict'>

interface Opened {
  readonly store: Store
  close(): Promise<void>
}

/** Opens the same data once more. */
type Open = () => Promise<Opened>

const log = pino({ level: 'silent' })
const ROOT = 'docker/registry/v2'
const REPOSITORIES = `${ROOT}/repositories`
const CACHE: Roles = { first: 'copy' }
const REPLICAS: Roles = { first: 'authority', strict: true }

let server: S3Server
let kubo: Kubo
before(async () => {
  server = await S3Server.start()
  kubo = await Kubo.start()
})
after(async () => {
  await server.remove()
  await kubo.remove()
})

function onBucket(options: S3Options): Open {
  return async () => {
    const store = await BucketStore.open(S3Bucket.of(options), { places: bucketPlaces })
    return { store, close: () => store.close() }
  }
}

function inMemory(): Open {
  const store = new MemoryStore()
  return async () => ({ store, close: async () => {} })
}

/** A data directory for each, as replicas have it, or one for all. */
async function onKubo(each: boolean): Promise<{ readonly open: Open; readonly end: () => Promise<void> }> {
  const directories = [await emptied([kubo])]
  const [shared = ''] = directories
  let count = 0
  const open = async (): Promise<Opened> => {
    let directory = shared
    if (each && count++ > 0) directories.push((directory = `${shared}-${count}`))
    return openKuboStore(nodesOf([kubo]), directory)
  }
  return { open, end: async () => void (await Promise.all(directories.map(removed))) }
}

async function contractOf(authority: Open, copy: Open, roles: Roles, end: () => Promise<void> = async () => {}): Promise<OpenedStore> {
  const parts: (() => Promise<void>)[] = []
  const open = async (): Promise<Store> => {
    const [ours, theirs] = [await authority(), await copy()]
    const store = new TieredStore({ authority: ours.store, copy: theirs.store, places: allFixed(REPOSITORIES), log, ...roles })
    parts.push(async () => {
      await store.close()
      await ours.close()
      await theirs.close()
    })
    return belowStore(store, REPOSITORIES)
  }
  const close = async (): Promise<void> => {
    for (const part of parts.splice(0)) await part()
  }
  return {
    store: await open(),
    leavesOnly: true,
    plainNames: true,
    tick: 1000,
    again: open,
    reopen: async () => {
      await close()
      return open()
    },
    close: async () => {
      await close()
      await end()
    },
  }
}

describe('the promises of a store, on two', { timeout: 600_000 }, () => {
  objectStoreContract('TieredStore, memory and S3', async () => contractOf(inMemory(), onBucket(await server.bucket()), CACHE))

  objectStoreContract('TieredStore, Kubo and S3', async () => {
    const nodes = await onKubo(false)
    return contractOf(nodes.open, onBucket(await server.bucket()), CACHE, nodes.end)
  })

  objectStoreContract('TieredStore, S3 and Kubo', async () => {
    const nodes = await onKubo(true)
    return contractOf(onBucket(await server.bucket()), nodes.open, REPLICAS, nodes.end)
  })
})

describe('replicas on one bucket and one Kubo', { timeout: 300_000 }, () => {
  it('lose nothing in Kubo, whichever of them changes it, and one that dies leaves its turn to the others', async () => {
    const nodes = await onKubo(true)
    const bucket = onBucket(await server.bucket())
    const replicas = await Promise.all([1, 2, 3].map(async () => {
      const [authority, copy] = [await bucket(), await nodes.open()]
      const store = new TieredStore({ authority: authority.store, copy: copy.store, places: tierPlaces, log, patience: 4000, ...REPLICAS })
      return { store, authority, copy }
    }))
    const [one] = replicas
    assert.ok(one !== undefined)
    // Somebody has died who had it.
    await one.authority.store.commit({ changes: [{ put: 'disco/turns/tier', data: Buffer.from('{"holder":"dead"}') }] })
    const layers = Array.from({ length: 9 }, (_, i) => fill(300_000, i + 1))
    await Promise.all(layers.map(async (layer, i) => {
      const replica = replicas[i % replicas.length]
      assert.ok(replica !== undefined)
      const { digest } = await pushBlob(replica.store, layer, `upload-${i}`)
      await replica.store.commit({ changes: [...imageChanges(digest, digest.hex), ...tagChanges('team/app', `v${i}`, digest.hex)] })
    }))
    for (const { store, copy } of replicas) {
      await store.idle()
      assert.equal((await copy.store.list(inRepository('team/app', within.tags))).length, 9)
      for (const layer of layers) assert.deepEqual(await collect(copy.store.read(blobData(digestOf(layer)))), bytes(layer))
    }
    assert.ok(same(await objectsOf(one.authority.store, ROOT), await objectsOf(one.copy.store, ROOT)))
    assert.deepEqual(await one.authority.store.list('disco/tier'), [])
    for (const { store, authority, copy } of replicas) {
      await store.close()
      await authority.close()
      await copy.close()
    }
    await nodes.end()
  })
})

describe('a cache of S3 in front of Kubo', { timeout: 300_000 }, () => {
  it('serves while Kubo is gone, goes on while the cache is, and gives back what Kubo has lost', async () => {
    const nodes = await onKubo(false)
    const options = await server.bucket()
    const [authority, copy] = [await nodes.open(), await onBucket(options)()]
    const store = new TieredStore({ authority: authority.store, copy: copy.store, places: tierPlaces, log, ...CACHE })
    const layer = fill(2_500_000)
    const { path, digest } = await pushBlob(store, layer)
    await store.commit({ changes: imageChanges(digest) })
    await store.idle()
    assert.ok(await store.hasInCopy(path))

    await kubo.down()
    assert.deepEqual(await collect(store.read(path)), bytes(layer))
    assert.ok(await store.get(inRepository(CID, within.tagCurrent('latest'))))
    await kubo.up()

    await server.kill()
    const begun = performance.now()
    assert.deepEqual(await collect(store.read(path)), bytes(layer))
    const other = await pushBlob(store, fill(100_000, 9), 'other')
    assert.deepEqual(await collect(store.read(other.path)), bytes(fill(100_000, 9)))
    assert.ok(performance.now() - begun < 8000, 'it waited for the cache')
    await server.up()
    store.start()
    for (let i = 0; i < 600 && !(await store.hasInCopy(other.path)); i++) await new Promise((resolve) => setTimeout(resolve, 50))
    assert.ok(await store.hasInCopy(other.path))

    await authority.store.commit({ changes: [{ delete: path }, { delete: inRepository(CID, '').slice(0, -1) }] })
    assert.equal(await store.heal(), 2)
    assert.deepEqual(await collect(authority.store.read(path)), bytes(layer))
    await store.close()
    await authority.close()
    await copy.close()
    await nodes.end()
  })
})
