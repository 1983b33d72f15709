import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { CID } from 'multiformats/cid'
import type { ImageSession } from '../../src/ipfs/node.ts'
import { formatDigest } from '../../src/oci/digest.ts'
import { blobData, repository } from '../../src/registry/paths.ts'
import type { AbortOptions } from '../../src/storage/object-store.ts'
import { contentOf, indexOf, makeImage, pushImage, putManifest, registryError, TestDisco, type ImageParts, type Peer } from './harness.ts'

const UNKNOWN = 'bafybeibbkcck6lz37hcipp2mwtfdgstydizjq45z4fkqq4va73mp7qzutu'

/** A peer who gives blocks only while its gate is open. */
class Gate implements Peer {
  readonly #peer: Peer
  readonly asked: string[] = []
  closedFor: (cid: CID) => boolean = () => false
  #opened = Promise.withResolvers<void>()

  constructor(peer: Peer) {
    this.#peer = peer
  }

  open(): void {
    this.closedFor = () => false
    this.#opened.resolve()
    this.#opened = Promise.withResolvers()
  }

  async get(cid: CID, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    this.asked.push(cid.toString())
    while (this.closedFor(cid)) {
      const aborted = new Promise<never>((_, reject) => options.signal?.addEventListener('abort', () => reject(options.signal?.reason)))
      await Promise.race([this.#opened.promise, aborted])
    }
    return this.#peer.get(cid, options)
  }
}

/** `deepEqual` of long buffers that differ takes minutes. */
function assertSameBytes(actual: Buffer, expected: Uint8Array | undefined): void {
  assert.ok(expected !== undefined && actual.equals(expected))
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await condition()) return
    await setTimeout(10)
  }
  assert.fail('it never came to be')
}

describe('a clone', () => {
  let origin: TestDisco
  let gate: Gate
  let disco: TestDisco
  let image: ImageParts
  let cid: string
  let blobs: { digest: string; cid: string }[]
  beforeEach(async () => {
    origin = await TestDisco.open()
    gate = new Gate(origin.index.blocks)
    disco = await TestDisco.open({ peers: [gate] })
    image = makeImage([10_000, 2_500_000])
    cid = (await pushImage(origin.registry, 'app', 'latest', image)).cid
    const file = await origin.text(`${repository(cid)}/disco.json`)
    blobs = (JSON.parse(file ?? '') as { blobs: typeof blobs }).blobs
  })
  afterEach(async () => {
    gate.open()
    await Promise.all([disco.close(), origin.close()])
  })

  const cidOfBlob = (index: number): string => blobs[index]?.cid ?? ''
  const landed = (): Promise<void> => until(async () => await disco.store.stat(`${repository(cid)}/_manifests/tags/latest/current/link`) !== undefined)

  it('begins with whatever is asked for first', async () => {
    const layer = image.layers[1]
    assert.ok(layer)
    const asks: (() => Promise<unknown>)[] = [
      async () => assert.deepEqual((await disco.registry.manifest(cid, 'latest')).digest, image.manifest.digest),
      async () => assert.deepEqual((await disco.registry.manifest(cid, formatDigest(image.manifest.digest))).digest, image.manifest.digest),
      async () => assert.deepEqual(await disco.registry.tags(cid), { entries: ['latest'], more: false }),
      async () => assertSameBytes(await contentOf((await disco.registry.blob(cid, formatDigest(layer.digest))).read()), layer.bytes),
    ]
    for (const [round, ask] of asks.entries()) {
      await ask()
      await landed()
      await ask()
      // seen before it is acknowledged, where a commit takes several steps
      await until(() => disco.provided.filter((root) => root === cid).length > round)
      await disco.store.commit({ changes: [{ delete: 'docker' }] })
    }
  })

  it('leaves what a push leaves, and no more', async () => {
    await disco.registry.cloneGlobalRepo(cid)
    for (const name of [cid, image.manifest.digest.hex]) {
      assert.deepEqual(await disco.paths(repository(name)), await origin.paths(repository(name)))
    }
    assert.deepEqual(await disco.paths('docker/registry/v2/blobs'), await origin.paths('docker/registry/v2/blobs'))
    assert.deepEqual(await disco.store.uploads.list(), [])
    assert.deepEqual(disco.provided, [cid, ...blobs.map((blob) => blob.cid)])
  })

  it('is refused where it is larger than what is fetched, or than the room for it', async () => {
    const size = image.manifest.bytes.byteLength + image.config.bytes.byteLength + image.layers.reduce((sum, { bytes }) => sum + bytes.byteLength, 0)
    for (const [options, status, fits] of [
      [{ cloneSize: size - 1 }, 413, { cloneSize: size }],
      [{ room: async () => size - 1 }, 507, { room: async () => size }],
    ] as const) {
      const small = await TestDisco.open({ peers: [gate], ...options })
      const large = await TestDisco.open({ peers: [gate], ...fits })
      try {
        await assert.rejects(small.registry.manifest(cid, 'latest'), { code: 'UNAVAILABLE', status })
        assert.deepEqual(await small.store.uploads.list(), [])
        await large.registry.cloneGlobalRepo(cid)
      } finally {
        await Promise.all([small.close(), large.close()])
      }
    }
  })

  it('is of use to others', async () => {
    await disco.registry.cloneGlobalRepo(cid)
    const third = await TestDisco.open({ peers: [disco.index.blocks] })
    try {
      await third.registry.cloneGlobalRepo(cid)
    } finally {
      await third.close()
    }
  })

  it('is one, however many ask', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => disco.registry.manifest(cid, 'latest')))
    await disco.registry.cloneGlobalRepo(cid)
    await disco.registry.manifest(cid, 'latest')
    assert.equal(answers.length, 10)
    assert.equal(disco.sessions, 1)
  })

  it('answers the manifest while blobs are still to come, and streams what arrives', async () => {
    const [layer, config] = [image.layers[1], image.config]
    assert.ok(layer)
    const lastBlocks = new Set<string>()
    gate.closedFor = (block) => lastBlocks.has(block.toString())
    lastBlocks.add(cidOfBlob(2))
    await disco.registry.manifest(cid, 'latest')
    assert.equal((await disco.registry.blob(cid, formatDigest(layer.digest))).size, layer.bytes.length)
    const blob = await disco.registry.blob(cid, formatDigest(layer.digest))
    assertSameBytes(await contentOf(blob.read({ start: 5, length: 10 })), layer.bytes.subarray(5, 15))
    assertSameBytes(await contentOf(blob.read()), layer.bytes)
    assertSameBytes(await contentOf((await disco.registry.blob(cid, formatDigest(config.digest))).read()), config.bytes)
    await assert.rejects(disco.registry.blob(cid, formatDigest(image.manifest.digest)), registryError('BLOB_UNKNOWN'))
    await assert.rejects(disco.registry.manifest(cid, 'v1'), registryError('MANIFEST_UNKNOWN'))
    await assert.rejects(disco.registry.blob(cid, 'sha256:no'), registryError('DIGEST_INVALID'))
    assert.deepEqual(await disco.store.list(repository(cid)), [])
    const small = await disco.registry.blob(cid, formatDigest(image.layers[0]?.digest ?? config.digest))
    const reading = contentOf(small.read())
    gate.open()
    assertSameBytes(await reading, image.layers[0]?.bytes)
    await landed()
    assertSameBytes(await contentOf(blob.read({ start: 2_000_000 })), layer.bytes.subarray(2_000_000))
    assertSameBytes(await contentOf(small.read()), image.layers[0]?.bytes)
  })

  it('goes on for the others when the first who asked goes away', async () => {
    gate.closedFor = () => true
    const client = new AbortController()
    const first = disco.registry.manifest(cid, 'latest', { signal: client.signal })
    const second = disco.registry.manifest(cid, 'latest')
    await until(() => gate.asked.length > 0)
    client.abort(new Error('gone'))
    await assert.rejects(first, /gone/)
    gate.open()
    assert.deepEqual((await second).digest, image.manifest.digest)
    assert.equal(disco.sessions, 1)
  })

  it('ends when nobody waits any more, and begins anew', async () => {
    gate.closedFor = () => true
    const client = new AbortController()
    const first = disco.registry.manifest(cid, 'latest', { signal: client.signal })
    await until(() => gate.asked.length > 0)
    client.abort(new Error('gone'))
    await assert.rejects(first, /gone/)
    gate.open()
    assert.deepEqual((await disco.registry.manifest(cid, 'latest')).digest, image.manifest.digest)
    assert.equal(disco.sessions, 2)
  })

  it('goes on from the store where a read of what arrives ends early', async () => {
    const short = (session: ImageSession): ImageSession => ({
      find: (...args) => session.find(...args),
      tree: (...args) => session.tree(...args),
      keep: (...args) => session.keep(...args),
      close: () => session.close(),
      fetch(file) {
        const fetch = session.fetch(file)
        return {
          done: fetch.done,
          async *read(range, options) {
            for await (const chunk of fetch.read(range, options)) {
              yield chunk
              if (file.size === image.layers[1]?.bytes.length) throw new Error('the upload has become an object')
            }
          },
        }
      },
    })
    const other = await disco.sharing({ peers: [gate], session: short })
    const layer = image.layers[1]
    const blob = await other.registry.blob(cid, formatDigest(layer?.digest ?? image.config.digest))
    gate.closedFor = (block) => block.toString() === cidOfBlob(2)
    const reading = [contentOf(blob.read()), contentOf(blob.read({ start: 7, length: 2_000_000 }))]
    gate.open()
    const [all, part] = await Promise.all(reading)
    assertSameBytes(all ?? Buffer.alloc(0), layer?.bytes)
    assertSameBytes(part ?? Buffer.alloc(0), layer?.bytes.subarray(7, 2_000_007))
  })

  it('by two processes at once is two, and ends well', async () => {
    const other = await disco.sharing({ peers: [gate] })
    await Promise.all([disco.registry.cloneGlobalRepo(cid), other.registry.cloneGlobalRepo(cid)])
    assert.deepEqual(await disco.store.uploads.list(), [])
    assert.deepEqual((await other.registry.manifest(cid, 'latest')).digest, image.manifest.digest)
  })

  it('of what nobody has is unknown, leaves nothing and is tried again', async () => {
    for (let i = 1; i <= 2; i++) {
      await assert.rejects(disco.registry.manifest(UNKNOWN, 'latest'), registryError('NAME_UNKNOWN', /nobody was found/))
      assert.equal(disco.sessions, i)
    }
    await assert.rejects(disco.registry.cloneGlobalRepo(UNKNOWN), registryError('NAME_UNKNOWN'))
    assert.deepEqual(await disco.store.list(''), [])
  })

  it('that loses its peers half-way fails, leaves nothing, and is tried again', async () => {
    const lost = new Set([cidOfBlob(3)])
    const halfway: Peer = { get: async (block, options) => (lost.has(block.toString()) ? undefined : gate.get(block, options)) }
    const other = await TestDisco.open({ peers: [halfway] })
    try {
      await assert.rejects(other.registry.cloneGlobalRepo(cid), registryError('UNAVAILABLE'))
      assert.deepEqual(await other.store.list(''), [])
      assert.deepEqual(await other.store.uploads.list(), [])
      lost.clear()
      await other.registry.cloneGlobalRepo(cid)
    } finally {
      await other.close()
    }
  })

  it('whose commit fails leaves nothing, and is tried again', async () => {
    disco.store.beforeCommit = () => { throw new Error('no space left on device') }
    await assert.rejects(disco.registry.cloneGlobalRepo(cid), registryError('UNAVAILABLE', /no space left/))
    assert.deepEqual(await disco.store.list(''), [])
    assert.deepEqual(await disco.store.uploads.list(), [])
    disco.store.beforeCommit = undefined
    await disco.registry.cloneGlobalRepo(cid)
  })

  it('is ended by close', async () => {
    gate.closedFor = (block) => block.toString() === cidOfBlob(3)
    await disco.registry.manifest(cid, 'latest')
    const reading = contentOf((await disco.registry.blob(cid, formatDigest(image.layers[1]?.digest ?? image.config.digest))).read())
    await Promise.all([disco.registry.close(), assert.rejects(reading, registryError('UNAVAILABLE', /stopping/))])
    assert.deepEqual(await disco.store.uploads.list(), [])
    await assert.rejects(disco.registry.manifest(cid, 'latest'), registryError('UNAVAILABLE'))
  })

  it('does not fetch what is here already', async () => {
    await pushImage(disco.registry, 'mine', 'v1', image)
    await disco.store.commit({ changes: [{ delete: repository(cid) }] })
    gate.asked.length = 0
    await disco.registry.cloneGlobalRepo(cid)
    // The root says that the image is here, which it is not.
    assert.deepEqual(gate.asked, [cid])
  })

  it('is not made where it must not be', async () => {
    for (const quiet of [await disco.sharing({ peers: [gate], noClone: true }), await disco.sharing()]) {
      await assert.rejects(quiet.registry.manifest(cid, 'latest'), registryError('NAME_UNKNOWN'))
      await assert.rejects(quiet.registry.cloneGlobalRepo(cid), registryError('NAME_UNKNOWN'))
    }
    await assert.rejects(disco.registry.cloneGlobalRepo('no/cid'), registryError('NAME_INVALID'))
    await assert.rejects(disco.registry.cloneGlobalRepo(image.manifest.digest.hex), registryError('NAME_INVALID'))
    assert.equal(disco.sessions, 0)
    await disco.registry.cloneGlobalRepo(cid)
    await (await disco.sharing({ noClone: true })).registry.manifest(cid, 'latest')
  })

  it('of an index brings every child', async () => {
    const images = [makeImage([10]), makeImage([20]), image]
    const index = indexOf(images)
    for (const child of images) await pushImage(origin.registry, 'multi', formatDigest(child.manifest.digest), child)
    const multi = await putManifest(origin.registry, 'multi', 'latest', index)
    for (const { manifest, config } of images) {
      assert.deepEqual(Buffer.from((await disco.registry.manifest(multi.cid, formatDigest(manifest.digest))).bytes), manifest.bytes)
      assertSameBytes(await contentOf((await disco.registry.blob(multi.cid, formatDigest(config.digest))).read()), config.bytes)
    }
    await disco.registry.cloneGlobalRepo(multi.cid)
    for (const { config, layers } of images) {
      for (const { digest } of [config, ...layers]) assert.ok(await disco.store.stat(blobData(digest)))
    }
    assert.deepEqual(await disco.paths(repository(multi.cid)), await origin.paths(repository(multi.cid)))
  })
})
