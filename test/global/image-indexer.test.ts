import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CarReader } from '@ipld/car'
import { CID } from 'multiformats/cid'
import { readDiscoFile } from '../../src/global/disco-file.ts'
import { globalNames } from '../../src/global/images.ts'
import { ImageIndexer } from '../../src/global/image-indexer.ts'
import { shownBy } from '../../src/global/repository-tree.ts'
import type { EmbeddedDagIndex } from '../../src/ipfs/embedded/dag-index.ts'
import { readLayout } from '../../src/ipfs/embedded/layout-reader.ts'
import { LayoutWriter } from '../../src/ipfs/embedded/layout-record.ts'
import { OCI_IMAGE_MANIFEST } from '../../src/oci/media-type.ts'
import { blobData, inRepository, layoutPath } from '../../src/registry/paths.ts'
import { StorageFailedError } from '../../src/storage/errors.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import { descriptorOf, imageOf, indexOf, makeImage, piece, pushBlob, pushBlobs, pushImage, putManifest, STORE_VARIABLE, TestDisco, type Peer, type StoreKind } from './harness.ts'
import { openNewIndex } from './new-index.ts'

process.env[STORE_VARIABLE] = 'filesystem' satisfies StoreKind

const GO_CID = 'bafybeieq3whadirvwzn6blqncqnvr56hdw5bloa3oajtrcrzynctzerrqy'

/** The original Disco, with one image. */
async function original(): Promise<{ readonly peer: Peer; readonly cids: readonly CID[] }> {
  const car = await CarReader.fromBytes(await readFile(new URL('../fixtures/go-disco/one-node.car', import.meta.url)))
  const cids: CID[] = []
  for await (const cid of car.cids()) cids.push(cid)
  // Its blocks have CIDv0, ours ask by multihash.
  const get = async (cid: CID): Promise<Uint8Array | undefined> =>
    (await car.get(cid) ?? await car.get(cid.code === 0x70 ? CID.createV0(cid.multihash as never) : cid))?.bytes
  return { peer: { get }, cids }
}

async function openDisco(t: TestContext, peers?: readonly Peer[]): Promise<TestDisco> {
  const disco = await TestDisco.open(peers === undefined ? {} : { peers })
  t.after(() => disco.close())
  return disco
}

interface Replica {
  readonly index: EmbeddedDagIndex
  readonly images: ImageIndexer
  readonly provided: readonly string[]
}

/** Another Disco on the store of one, whose data directory is empty. */
async function replicaOf(t: TestContext, { store }: TestDisco, again?: number): Promise<Replica> {
  const index = await openNewIndex(t, store)
  const provided: string[] = []
  const provides = { provide: async (roots: readonly CID[]) => void provided.push(...roots.map(String)) }
  const images = new ImageIndexer({ store, index, provides, again, log: silentLogger() })
  t.after(() => images.close())
  return { index, images, provided }
}

async function namesOf({ store }: TestDisco): Promise<CID[]> {
  const names: CID[] = []
  for await (const name of globalNames(store)) names.push(name)
  return names
}

async function assertClonable(t: TestContext, { index }: Replica, cid: string): Promise<void> {
  const other = await openDisco(t, [index.blocks])
  await other.registry.cloneGlobalRepo(cid)
}

describe('an index that lacks the images of its store', () => {
  it('gets their blocks again, and the network is told', async (t) => {
    const { store, registry } = await openDisco(t)
    const disco = { store } as TestDisco
    const images = [makeImage([2_500_000]), makeImage()]
    for (const image of images) {
      await pushBlobs(registry, 'multi', image)
      await putManifest(registry, 'multi', `sha256:${image.manifest.digest.hex}`, image.manifest)
    }
    const { cid } = await putManifest(registry, 'multi', 'latest', indexOf(images))
    const replica = await replicaOf(t, disco)
    assert.equal((await namesOf(disco)).length, 3)
    assert.equal(await replica.images.complete(), 3)
    assert.ok(replica.provided.includes(cid))
    await assertClonable(t, replica, cid)
    assert.equal(await replica.images.complete(), 0)
    assert.deepEqual(await store.list('disco/layouts'), [])
  })

  it('gets those of a signature, whose repository has more than it was laid out with', async (t) => {
    const disco = await openDisco(t)
    const empty = piece('{}')
    const image = makeImage()
    await pushImage(disco.registry, 'signed', 'v1', image)
    const signature = piece(JSON.stringify({
      schemaVersion: 2, mediaType: OCI_IMAGE_MANIFEST, artifactType: 'application/vnd.example.signature',
      config: descriptorOf(empty, 'application/vnd.oci.empty.v1+json'), layers: [], subject: descriptorOf(image.manifest, OCI_IMAGE_MANIFEST),
    }))
    await pushBlob(disco.registry, 'signed', empty)
    const { cid } = await putManifest(disco.registry, 'signed', `sha256:${signature.digest.hex}`, signature)
    const replica = await replicaOf(t, disco)
    assert.equal(await replica.images.complete(), 2)
    await assertClonable(t, replica, cid)
  })

  it('leaves one that it can\'t lay out, and goes on with the others', async (t) => {
    const disco = await openDisco(t)
    const { cid: broken } = await pushImage(disco.registry, 'a', 'latest', makeImage())
    const { cid: whole } = await pushImage(disco.registry, 'b', 'latest', makeImage())
    await disco.store.commit({ changes: [{ put: inRepository(broken, 'disco.json'), data: Buffer.from('{"blobs":[{"digest":"no') }] })
    const replica = await replicaOf(t, disco)
    assert.equal(await replica.images.complete(), 1)
    for (const name of await namesOf(disco)) assert.equal(await replica.index.blocks.has(name), name.toString() === whole)
  })

  it('leaves one of which something is missing for a while, and does not say that it is not here', async (t) => {
    const disco = await openDisco(t)
    const image = makeImage()
    const { cid } = await pushImage(disco.registry, 'a', 'latest', image)
    const missing = blobData(image.config.digest)
    await disco.store.commit({ changes: [{ delete: missing }] })
    const again = 300
    const replica = await replicaOf(t, disco, again)
    for (let time = 0; time < 2; time++) await assert.rejects(replica.images.index(CID.parse(cid)), StorageFailedError)
    assert.equal(await replica.images.complete(), 0)
    await disco.store.commit({ changes: [{ put: missing, data: image.config.bytes }] })
    await sleep(again)
    assert.equal(await replica.images.complete(), 1)
    await assertClonable(t, replica, cid)
  })

  it('gets one that was deleted while it was laid out, and pushed anew', async (t) => {
    const disco = await openDisco(t)
    const image = makeImage()
    const { cid } = await pushImage(disco.registry, 'a', 'latest', image)
    const [shown, missing] = [shownBy(CID.parse(cid)), blobData(image.config.digest)]
    const link = await disco.store.get(shown) ?? assert.fail()
    await disco.store.commit({ changes: [{ delete: missing }] })
    const replica = await replicaOf(t, disco)
    const { stat } = disco.store
    let looks = 0
    t.mock.method(disco.store, 'stat', async (...args: Parameters<typeof stat>) => {
      const found = await stat.apply(disco.store, args)
      if (args[0] === shown && looks++ === 0) await disco.store.commit({ changes: [{ delete: shown }] })
      return found
    })
    assert.equal(await replica.images.index(CID.parse(cid)), false)
    await disco.store.commit({ changes: [{ put: missing, data: image.config.bytes }, { put: shown, data: link }] })
    assert.equal(await replica.images.index(CID.parse(cid)), true)
  })

  it('asks the store little for each image, and nothing for those that it has', async (t) => {
    const disco = await openDisco(t)
    const many = 12
    for (let number = 0; number < many; number++) await pushImage(disco.registry, `app${number}`, 'latest', makeImage([1000, 2000, 3000]))
    const asked: string[] = []
    const { store } = disco
    const counting = new Proxy(store, {
      get: (target, name: string): unknown => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...args: readonly unknown[]): unknown => {
          asked.push(name)
          return Reflect.apply(value, target, args)
        }
      },
    })
    const replica = await replicaOf(t, { store: counting } as TestDisco)
    assert.equal(await replica.images.complete(), many)
    t.diagnostic(`${asked.length / many} requests an image`)
    assert.ok(asked.length <= many * 13 + 1, `${asked.length} requests for ${many} images of five objects`)
    assert.ok(!asked.includes('chunkHashes'), 'the digest of a small object is the hash of its chunk')
    asked.length = 0
    assert.equal(await replica.images.complete(), 0)
    assert.deepEqual(asked, ['list'])
  })

  it('lays out once what several ask for', async (t) => {
    const disco = await openDisco(t)
    const { cid } = await pushImage(disco.registry, 'app', 'latest', makeImage([3_000_000]))
    const replica = await replicaOf(t, disco)
    const name = CID.parse(cid)
    assert.deepEqual(await Promise.all(Array.from({ length: 5 }, () => replica.images.index(name))), [true, true, true, true, true])
    assert.equal(replica.provided.filter((each) => each === cid).length, 1)
  })
})

describe('an image of the original Disco in a store', () => {
  it('is given whole by every Disco on it, also when nothing is left of the one that cloned it', async (t) => {
    const { peer, cids } = await original()
    const first = await openDisco(t, [peer])
    await first.registry.cloneGlobalRepo(GO_CID)
    assert.deepEqual(await first.store.list('disco/layouts'), [GO_CID])
    const replica = await replicaOf(t, first)
    assert.equal(await replica.images.complete(), 1)
    for (const cid of cids) {
      if (await first.index.blocks.has(cid)) assert.deepEqual(await replica.index.blocks.get(cid), await first.index.blocks.get(cid), cid.toString())
    }
    await assertClonable(t, replica, GO_CID)
  })

  it('shares blobs with another clone, each with all of its layout', async (t) => {
    const { peer } = await original()
    const first = await openDisco(t, [peer])
    await first.registry.cloneGlobalRepo(GO_CID)
    // The same blobs, as one who keeps the original's CIDs of them has another image of them.
    const layout = await first.store.get(layoutPath(GO_CID)) ?? assert.fail()
    const again = await openDisco(t, [first.index.blocks])
    await again.registry.cloneGlobalRepo(GO_CID)
    assert.deepEqual(await again.store.get(layoutPath(GO_CID)), layout)
  })

  it('leaves no layout behind when its commit fails', async (t) => {
    const { peer } = await original()
    const disco = await openDisco(t, [peer])
    disco.store.beforeCommit = () => {
      throw new Error('the power goes')
    }
    await assert.rejects(disco.registry.cloneGlobalRepo(GO_CID))
    disco.store.beforeCommit = undefined
    assert.deepEqual(await disco.store.list('disco'), [])
    assert.deepEqual(await disco.store.uploads.list(), [])
    await disco.registry.cloneGlobalRepo(GO_CID)
    assert.deepEqual(await disco.store.list('disco/layouts'), [GO_CID])
  })

  it('is given as soon as its layout, which was missing, has come', async (t) => {
    const { peer } = await original()
    const first = await openDisco(t, [peer])
    await first.registry.cloneGlobalRepo(GO_CID)
    const path = layoutPath(GO_CID)
    const layout = await first.store.get(path) ?? assert.fail()
    await first.store.commit({ changes: [{ delete: path }] })
    const again = 300
    const replica = await replicaOf(t, first, again)
    assert.equal(await replica.images.complete(), 0)
    await first.store.commit({ changes: [{ put: path, data: layout }] })
    // Not at each look: it costs something.
    assert.equal(await replica.images.index(CID.parse(GO_CID)), false)
    await sleep(again)
    assert.equal(await replica.images.complete(), 1)
    await assertClonable(t, replica, GO_CID)
  })

  it('has its root in the index only when all of its files are', async (t) => {
    const { peer } = await original()
    const first = await openDisco(t, [peer])
    await first.registry.cloneGlobalRepo(GO_CID)
    const layout = await first.store.get(layoutPath(GO_CID)) ?? assert.fail()
    const sizeOf = async (cid: CID): Promise<number> => {
      for (const entry of readDiscoFile(await first.store.get(inRepository(GO_CID, 'disco.json')) ?? assert.fail())) {
        if (entry.cid.equals(cid)) return (await first.store.stat(blobData(entry.digest)))?.size ?? 0
      }
      assert.fail()
    }
    const writer = new LayoutWriter()
    for await (const section of readLayout((async function* () { yield layout })(), sizeOf)) if ('tree' in section) writer.addTree(section.tree)
    await first.store.commit({ changes: [{ put: layoutPath(GO_CID), data: writer.finish().record ?? assert.fail('no tree') }] })
    const replica = await replicaOf(t, first)
    assert.equal(await replica.images.complete(), 0)
    assert.equal(replica.index.knows(CID.parse(GO_CID)), false)
  })

  for (const [what, change] of Object.entries<(layout: Uint8Array) => Uint8Array | undefined>({
    'is missing': () => undefined,
    'is cut off': (layout) => layout.subarray(0, -100),
    'is of nothing': () => Buffer.from('nothing'),
    'is damaged': (layout) => Buffer.from(layout).fill(7, 100, 110),
  })) {
    it(`whose layout ${what} is not given by who has to rely on that, and the others are`, async (t) => {
      const { peer } = await original()
      const first = await openDisco(t, [peer])
      await first.registry.cloneGlobalRepo(GO_CID)
      const { cid: other } = await pushImage(first.registry, 'a', 'latest', imageOf([piece('layer')]))
      const path = layoutPath(GO_CID)
      const changed = change(await first.store.get(path) ?? assert.fail())
      await first.store.commit({ changes: [changed === undefined ? { delete: path } : { put: path, data: changed }] })
      const replica = await replicaOf(t, first)
      assert.equal(await replica.images.complete(), 1)
      assert.equal(await replica.index.blocks.has(CID.parse(GO_CID)), false)
      assert.equal(await replica.index.blocks.has(CID.parse(other)), true)
      assert.equal(await replica.images.complete(), 0)
    })
  }
})
