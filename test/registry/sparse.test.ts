import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digestOf, formatDigest } from '../../src/oci/digest.ts'
import { OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST } from '../../src/oci/media-type.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import type { Sparseness } from '../../src/registry/sparseness.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { bytesOf, digestText, imageManifest, pushBlob, pushImage, refused } from './sample.ts'

interface Child {
  readonly bytes: Uint8Array
  readonly platform?: object
}

function indexOf(...children: Child[]): Buffer {
  const manifests = children.map(({ bytes, platform }) => ({ mediaType: OCI_IMAGE_MANIFEST, digest: digestText(bytes), size: bytes.length, platform }))
  return bytesOf(JSON.stringify({ schemaVersion: 2, mediaType: OCI_IMAGE_INDEX, manifests }))
}

function open(sparseness: Sparseness): RegistryCore {
  return new RegistryCore(new MemoryStore(), { sparseness })
}

const absent = (seed: string, platform?: object): Child => ({ bytes: bytesOf(seed), ...(platform === undefined ? {} : { platform }) })
const AMD64 = { os: 'linux', architecture: 'amd64' }
const ARM = { os: 'linux', architecture: 'arm', variant: 'v7' }

describe('what an index refers to', () => {
  it('is all here, unless it need not be', async () => {
    const bytes = indexOf(absent('one', AMD64), absent('two'))
    await refused(open({}).prepareManifest('a', { reference: 'v1', bytes }), 'MANIFEST_BLOB_UNKNOWN')
    await refused(open({ blobs: true }).prepareManifest('a', { reference: 'v1', bytes }), 'MANIFEST_BLOB_UNKNOWN')
    assert.equal((await open({ indexPlatforms: 'none' }).prepareManifest('a', { reference: 'v1', bytes })).missing, 2)
    await refused(open({ indexPlatforms: 'none' }).prepareManifest('a', { reference: 'v1', bytes: imageManifest(bytesOf('nowhere'), []) }), 'MANIFEST_BLOB_UNKNOWN')
  })

  it('is here for the platforms that were listed', async () => {
    const registry = open({ indexPlatforms: [AMD64, { os: 'linux', architecture: 'arm' }] })
    const there = await pushImage(registry, 'a', 'amd64')
    const put = (...others: Child[]): Promise<{ missing: number }> =>
      registry.prepareManifest('a', { reference: 'v1', bytes: indexOf({ bytes: there, platform: AMD64 }, ...others) })
    assert.equal((await put()).missing, 0)
    assert.equal((await put(absent('x', { os: 'windows', architecture: 'amd64' }))).missing, 1)
    await refused(put(absent('x', ARM)), 'MANIFEST_BLOB_UNKNOWN')
    await refused(put(absent('x', AMD64)), 'MANIFEST_BLOB_UNKNOWN')
    await refused(put(absent('no platform')), 'MANIFEST_BLOB_UNKNOWN')
    const v7 = open({ indexPlatforms: [ARM] })
    assert.equal((await v7.prepareManifest('a', { reference: 'v1', bytes: indexOf(absent('x', { ...ARM, variant: 'v6' })) })).missing, 1)
    await refused(v7.prepareManifest('a', { reference: 'v1', bytes: indexOf(absent('x', ARM)) }), 'MANIFEST_BLOB_UNKNOWN')
  })

  it('is counted down to what its children lack', async () => {
    const registry = open({ indexPlatforms: 'none', blobs: true })
    const image = imageManifest(bytesOf('{}'), [bytesOf('layer')])
    await pushBlob(registry, 'a', bytesOf('{}'))
    assert.equal((await registry.prepareManifest('a', { reference: 'v1', bytes: image })).missing, 1)
    await registry.putManifest('a', { reference: 'v1', bytes: image })
    assert.equal((await registry.prepareManifest('a', { reference: 'all', bytes: indexOf({ bytes: image }, absent('x')) })).missing, 2)
    await pushBlob(registry, 'a', bytesOf('layer'))
    assert.equal((await registry.prepareManifest('a', { reference: 'all', bytes: indexOf({ bytes: image }) })).missing, 0)
  })
})

describe('what children of an index refer to', () => {
  it('is needed where all is, whoever took it out or let it be missing', async () => {
    const store = new MemoryStore()
    const image = imageManifest(bytesOf('{}'), [bytesOf('secret')])
    const sparse = new RegistryCore(store, { sparseness: { blobs: true } })
    await pushBlob(sparse, 'private', bytesOf('secret'))
    await pushBlob(sparse, 'a', bytesOf('{}'))
    await sparse.putManifest('a', { reference: 'v1', bytes: image })
    const put = { reference: 'all', bytes: indexOf({ bytes: image }) }
    const strict = new RegistryCore(store)
    const { message } = await refused(strict.putManifest('a', put), 'MANIFEST_BLOB_UNKNOWN')
    assert.match(message, new RegExp(digestText(bytesOf('secret'))))
    await refused(new RegistryCore(store, { sparseness: { indexPlatforms: 'none' } }).putManifest('a', put), 'MANIFEST_BLOB_UNKNOWN')
    await pushBlob(strict, 'a', bytesOf('secret'))
    await strict.putManifest('a', put)
    await strict.deleteBlob('a', digestText(bytesOf('secret')))
    await refused(strict.putManifest('a', put), 'MANIFEST_BLOB_UNKNOWN')
  })

  it('is looked at up to 32 MiB of manifests', async () => {
    const registry = open({ indexPlatforms: 'none' })
    await pushBlob(registry, 'a', bytesOf('{}'))
    const large = 'x'.repeat(4_000_000)
    const children = Array.from({ length: 9 }, (_, seed) => ({ bytes: imageManifest(bytesOf('{}'), [], { annotations: { large, seed: String(seed) } }) }))
    for (const { bytes } of children) await registry.putManifest('a', { reference: digestText(bytes), bytes })
    await registry.putManifest('a', { reference: 'v1', bytes: indexOf(...children.slice(1), absent('x')) })
    await refused(registry.putManifest('a', { reference: 'v1', bytes: indexOf(...children, absent('x')) }), 'MANIFEST_INVALID')
  })
})

describe('a push by digest', () => {
  it('gets the tags that it names, up to a hundred of them', async () => {
    const registry = open({})
    const bytes = await pushImage(registry, 'a', 'first')
    for (const reference of [digestText(bytes), formatDigest(digestOf(bytes, 'sha512'))]) {
      const tags = ['v1', 'v1.2', 'latest', 'v1']
      const receipt = await registry.putManifest('a', { reference, tags, bytes })
      assert.deepEqual(receipt.tags, ['v1', 'v1.2', 'latest'])
      for (const tag of tags) assert.equal(formatDigest((await registry.manifest('a', tag)).digest), reference)
    }
    const many = Array.from({ length: 101 }, (_, index) => `t${index}`)
    await refused(registry.putManifest('a', { reference: digestText(bytes), tags: many, bytes }), 'MANIFEST_INVALID', 414)
    await registry.putManifest('a', { reference: digestText(bytes), tags: many.slice(1), bytes })
    await refused(registry.putManifest('a', { reference: digestText(bytes), tags: ['ok', '.not'], bytes }), 'MANIFEST_INVALID', 400)
    await refused(registry.manifest('a', 'ok'), 'MANIFEST_UNKNOWN')
  })

  it('alone takes tags from the query', async () => {
    const registry = open({})
    const bytes = await pushImage(registry, 'a', 'first')
    assert.equal((await registry.putManifest('a', { reference: 'v1', tags: ['v2'], bytes })).tags, undefined)
    assert.deepEqual((await registry.tags('a')).entries, ['first', 'v1'])
  })
})
