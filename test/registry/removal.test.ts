import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { digestOf, formatDigest } from '../../src/oci/digest.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import { blobData, REPOSITORIES } from '../../src/registry/paths.ts'
import type { Batch } from '../../src/storage/object-store.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { bytesOf, digestText, imageManifest, pushBlob, pushImage, refused, storedByOthers } from './sample.ts'

const ABSENT = digestText(bytesOf('absent'))

/** A store in which something happens right before a commit. */
class InterruptedStore extends MemoryStore {
  beforeCommit: ((batch: Batch) => Promise<void>) | undefined

  override async commit(batch: Batch): Promise<void> {
    const before = this.beforeCommit
    this.beforeCommit = undefined
    await before?.(batch)
    await super.commit(batch)
  }
}

let store: InterruptedStore
let registry: RegistryCore
beforeEach(() => {
  store = new InterruptedStore()
  registry = new RegistryCore(store)
})

describe('deleting', () => {
  it('a tag takes the tag alone', async () => {
    const bytes = await pushImage(registry, 'a', 'v1')
    await pushImage(registry, 'a', 'v2')
    await registry.deleteManifest('a', 'v1')
    assert.deepEqual((await registry.tags('a')).entries, ['v2'])
    await refused(registry.manifest('a', 'v1'), 'MANIFEST_UNKNOWN')
    await registry.manifest('a', digestText(bytes))
    await refused(registry.deleteManifest('a', 'v1'), 'MANIFEST_UNKNOWN')
  })

  it('the last tag leaves a repository with a manifest and no tags', async () => {
    await pushImage(registry, 'a', 'v1')
    await registry.deleteManifest('a', 'v1')
    assert.deepEqual(await registry.tags('a'), { entries: [], more: false })
  })

  it('a manifest takes every tag that points to it, and its place among the referrers', async () => {
    const subject = { mediaType: 'application/x', digest: ABSENT, size: 1 }
    await pushBlob(registry, 'a', bytesOf('{}'))
    const bytes = imageManifest(bytesOf('{}'), [], { subject })
    for (const reference of ['v1', 'v2', digestText(bytes)]) await registry.putManifest('a', { reference, bytes })
    const other = await pushImage(registry, 'a', 'other')
    assert.equal((await registry.referrers('a', ABSENT)).referrers.length, 1)
    await registry.deleteManifest('a', digestText(bytes))
    assert.deepEqual((await registry.tags('a')).entries, ['other'])
    assert.deepEqual((await registry.referrers('a', ABSENT)).referrers, [])
    for (const reference of ['v1', 'v2', digestText(bytes)]) await refused(registry.manifest('a', reference), 'MANIFEST_UNKNOWN')
    await registry.manifest('a', digestText(other))
    await refused(registry.deleteManifest('a', digestText(bytes)), 'MANIFEST_UNKNOWN')
    assert.deepEqual((await store.list(`${REPOSITORIES}/a/_manifests`)), ['revisions', 'tags'])
  })

  it('finds a manifest\'s tags among many, by sha512 too', async () => {
    const bytes = await pushImage(registry, 'a', 'z')
    const digest = formatDigest(digestOf(bytes, 'sha512'))
    const tags = Array.from({ length: 100 }, (_, index) => `t${index}`)
    await registry.putManifest('a', { reference: digest, tags, bytes })
    for (let index = 0; index < 6; index++) await registry.putManifest('a', { reference: digestText(bytes), tags: tags.map((tag) => `${index}${tag}`), bytes })
    await registry.deleteManifest('a', digest)
    const left = (await registry.tags('a')).entries
    assert.equal(left.length, 601)
    assert.ok(!left.some((tag) => tags.includes(tag)))
  })

  it('takes what another registry stored and is no manifest here', async () => {
    const schema1 = bytesOf(JSON.stringify({ schemaVersion: 1, name: 'a' }))
    await store.commit({ changes: storedByOthers('a', 'old', schema1) })
    await refused(registry.manifest('a', 'old'), 'MANIFEST_INVALID')
    await registry.deleteManifest('a', digestText(schema1))
    await refused(registry.tags('a'), 'NAME_UNKNOWN')
  })

  it('a manifest leaves what is in other repositories, and the data', async () => {
    const bytes = await pushImage(registry, 'a', 'v1', 'same')
    await pushImage(registry, 'b', 'v1', 'same')
    await registry.deleteManifest('a', digestText(bytes))
    await registry.manifest('b', 'v1')
    await registry.blob('a', digestText(bytesOf('layer of same')))
    assert.ok(await store.stat(blobData(digestOf(bytes))))
  })

  it('a blob takes it out of the repository', async () => {
    const digest = await pushBlob(registry, 'a', bytesOf('one'))
    await pushBlob(registry, 'a', bytesOf('other'))
    await pushBlob(registry, 'b', bytesOf('one'))
    await registry.deleteBlob('a', digest)
    await refused(registry.blob('a', digest), 'BLOB_UNKNOWN')
    await registry.blob('b', digest)
    await refused(registry.deleteBlob('a', digest), 'BLOB_UNKNOWN')
    assert.equal(await pushBlob(registry, 'a', bytesOf('one')), digest)
    await registry.blob('a', digest)
  })

  it('what is not there is 404, and what is malformed 400', async () => {
    await pushBlob(registry, 'a', bytesOf('one'))
    await refused(registry.deleteManifest('a', ABSENT), 'MANIFEST_UNKNOWN', 404)
    await refused(registry.deleteManifest('a', '.x'), 'MANIFEST_UNKNOWN', 404)
    await refused(registry.deleteManifest('b', 'v1'), 'NAME_UNKNOWN', 404)
    await refused(registry.deleteBlob('b', ABSENT), 'NAME_UNKNOWN', 404)
    await refused(registry.deleteManifest('a', 'sha256:x'), 'DIGEST_INVALID')
    await refused(registry.deleteBlob('a', 'sha256:x'), 'DIGEST_INVALID')
    await refused(registry.deleteBlob('A', ABSENT), 'NAME_INVALID')
    await refused(registry.deleteManifest('a/../b', 'v1'), 'NAME_INVALID')
  })
})

describe('a manifest that is deleted while others push', () => {
  it('does not take a tag that has moved on', async () => {
    const bytes = await pushImage(registry, 'a', 'v1')
    const next = await pushImage(registry, 'a', 'v2', 'next')
    store.beforeCommit = () => registry.putManifest('a', { reference: 'v1', bytes: next }).then(() => {})
    await registry.deleteManifest('a', digestText(bytes))
    assert.deepEqual((await registry.manifest('a', 'v1')).digest, digestOf(next))
    await refused(registry.manifest('a', digestText(bytes)), 'MANIFEST_UNKNOWN')
  })

  it('is gone under a tag that was just moved to it', async () => {
    const bytes = await pushImage(registry, 'a', 'v1')
    const other = await pushImage(registry, 'a', 'v2', 'other')
    store.beforeCommit = () => registry.putManifest('a', { reference: 'v2', bytes }).then(() => {})
    await registry.deleteManifest('a', digestText(bytes))
    await refused(registry.manifest('a', 'v2'), 'MANIFEST_UNKNOWN')
    await registry.putManifest('a', { reference: 'v2', bytes: other })
    await registry.manifest('a', 'v2')
  })
})
