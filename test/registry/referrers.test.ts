import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { digestOf, formatDigest } from '../../src/oci/digest.ts'
import { referrersTag, type Referrer } from '../../src/oci/referrer.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import type { ReferrersOptions } from '../../src/registry/registry.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { bytesOf, digestText, imageIndex, imageManifest, pushBlob, pushImage, refused, storedByOthers } from './sample.ts'

const CONFIG = bytesOf('{}')
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json'
const SUBJECT = bytesOf('a manifest that is not here')

/** A store that counts the bytes it gives. */
class WeighingStore extends MemoryStore {
  bytes = 0

  override async get(path: string): Promise<Uint8Array | undefined> {
    const data = await super.get(path)
    this.bytes += data?.byteLength ?? 0
    return data
  }
}

let registry: RegistryCore
beforeEach(async () => {
  registry = new RegistryCore(new MemoryStore())
  await pushBlob(registry, 'a', CONFIG)
})

function referrer(seed: string, more: Record<string, unknown> = {}, subject: Uint8Array = SUBJECT): Buffer {
  return imageManifest(CONFIG, [], { seed, subject: { mediaType: 'application/x', digest: digestText(subject), size: subject.length }, ...more })
}

async function push(bytes: Buffer, name = 'a'): Promise<string> {
  await registry.putManifest(name, { reference: digestText(bytes), bytes })
  return digestText(bytes)
}

/** All of them, page by page. */
async function list(options: ReferrersOptions = {}, subject = digestText(SUBJECT)): Promise<Referrer[]> {
  const found: Referrer[] = []
  let after: string | undefined
  for (let pages = 0; pages < 100; pages++) {
    const page = await registry.referrers('a', subject, { ...options, after })
    found.push(...page.referrers)
    if (page.next === undefined) return found
    after = page.next
  }
  return assert.fail('no end')
}

describe('referrers', () => {
  it('of what nobody refers to are none, whether it or the name is there or not', async () => {
    for (const name of ['a', 'nowhere']) assert.deepEqual(await registry.referrers(name, digestText(SUBJECT)), { referrers: [], next: undefined })
    await refused(registry.referrers('a', 'sha256:x'), 'DIGEST_INVALID')
    await refused(registry.referrers('a', 'latest'), 'DIGEST_INVALID')
    await refused(registry.referrers('A', digestText(SUBJECT)), 'NAME_INVALID')
    await refused(registry.referrers('a', digestText(SUBJECT), { after: 'x' }), 'DIGEST_INVALID')
  })

  it('are listed with type and annotations, sorted by digest, by whichever algorithm', async () => {
    const annotated = referrer('1', { artifactType: 'application/sbom', annotations: { one: 'two', wrong: 3 } })
    const plain = referrer('2')
    const index = bytesOf(JSON.stringify({ ...JSON.parse(imageIndex([]).toString()) as object, subject: { mediaType: 'application/x', digest: digestText(SUBJECT), size: 1 } }))
    const digests = [await push(annotated), await push(plain), await push(index)]
    const sha512 = formatDigest(digestOf(plain, 'sha512'))
    await registry.putManifest('a', { reference: sha512, bytes: plain })
    const found = await list()
    assert.deepEqual(found.map(({ digest }) => digest), [...digests.toSorted(), sha512])
    const of = (digest: string | undefined): Referrer | undefined => found.find((candidate) => candidate.digest === digest)
    assert.deepEqual(of(digests[0]), {
      mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: digests[0], size: annotated.length, artifactType: 'application/sbom', annotations: { one: 'two' },
    })
    assert.deepEqual(of(digests[1]), { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: digests[1], size: plain.length, artifactType: CONFIG_TYPE })
    assert.deepEqual(of(digests[2]), { mediaType: 'application/vnd.oci.image.index.v1+json', digest: digests[2], size: index.length })
    for (const limit of [1, 2, 3, 4]) assert.deepEqual(await list({ limit }), found, `pages of ${limit}`)
    assert.deepEqual(await registry.referrers('a', digestText(SUBJECT), { limit: 0 }), { referrers: [], next: undefined })
  })

  it('are of one repository and of one subject, whose digest may be sha512', async () => {
    const mine = await push(referrer('1'))
    await pushBlob(registry, 'b', CONFIG)
    await push(referrer('2'), 'b')
    const other = digestOf(SUBJECT, 'sha512')
    const theirs = await push(imageManifest(CONFIG, [], { subject: { mediaType: 'application/x', digest: formatDigest(other), size: 1 } }))
    assert.deepEqual((await list()).map(({ digest }) => digest), [mine])
    assert.deepEqual((await list({}, formatDigest(other))).map(({ digest }) => digest), [theirs])
  })

  it('are filtered by type, also where a page has none of it', async () => {
    for (let seed = 0; seed < 20; seed++) await push(referrer(String(seed)))
    const wanted = await push(referrer('sbom', { artifactType: 'application/sbom' }))
    assert.deepEqual((await list({ artifactType: 'application/sbom', limit: 4 })).map(({ digest }) => digest), [wanted])
    assert.equal((await list({ artifactType: CONFIG_TYPE })).length, 20)
    assert.deepEqual(await list({ artifactType: 'application/none' }), [])
  })

  it('with large annotations come in pages that are not', async () => {
    for (let seed = 0; seed < 4; seed++) await push(referrer(String(seed), { annotations: { large: 'x'.repeat(1_500_000) } }))
    const { referrers, next } = await registry.referrers('a', digestText(SUBJECT))
    assert.equal(referrers.length, 2)
    assert.equal(next, referrers.at(-1)?.digest)
    assert.equal((await list()).length, 4)
    await push(referrer('huge', { annotations: { large: 'x'.repeat(4_100_000) } }))
    assert.equal((await list()).length, 5)
  })

  it('are looked at a page at a time: how much that is in memory does not grow with their annotations', async () => {
    const store = new WeighingStore()
    registry = new RegistryCore(store)
    await pushBlob(registry, 'a', CONFIG)
    const large = 'x'.repeat(1_000_000)
    for (let seed = 0; seed < 12; seed++) await push(referrer(String(seed), { annotations: { large } }))
    const strangers = Array.from({ length: 12 }, (_, seed) => referrer(`other ${seed}`, { annotations: { large } }, bytesOf('another subject')))
    for (const bytes of strangers) await push(bytes)
    await registry.putManifest('a', { reference: referrersTag(digestOf(SUBJECT)), bytes: imageIndex(strangers) })
    registry = new RegistryCore(store, { manifestCache: 0 })
    let after: string | undefined
    let found = 0
    do {
      store.bytes = 0
      const page = await registry.referrers('a', digestText(SUBJECT), { after, artifactType: 'application/none' })
      found += page.referrers.length
      after = page.next
      assert.ok(store.bytes < 5_000_000, `${store.bytes} bytes were read`)
    } while (after !== undefined)
    assert.equal(found, 0)
    assert.equal((await list()).length, 12)
  })

  it('are listed for as long as they can be pulled, whoever took them out', async () => {
    const store = new MemoryStore()
    registry = new RegistryCore(store)
    await pushBlob(registry, 'a', CONFIG)
    const [gone, left] = [await push(referrer('1')), await push(referrer('2'))]
    await store.commit({ changes: [{ delete: `docker/registry/v2/repositories/a/_manifests/revisions/${gone.replace(':', '/')}` }] })
    assert.deepEqual((await list()).map(({ digest }) => digest), [left])
  })

  it('that a tag lists, as clients did before, are among them, each once, and nothing else that it lists', async () => {
    const [listed, both, elsewhere, unknown] = [referrer('1'), referrer('2'), referrer('3', {}, bytesOf('another subject')), referrer('4')]
    const legacy = new RegistryCore(new MemoryStore())
    registry = legacy
    await pushBlob(registry, 'a', CONFIG)
    for (const bytes of [listed, both, elsewhere]) await push(bytes)
    const index = imageIndex([listed, both, elsewhere])
    await registry.putManifest('a', { reference: referrersTag(digestOf(SUBJECT)), bytes: index })
    const expected = [digestText(listed), digestText(both)].toSorted()
    assert.deepEqual((await list()).map(({ digest }) => digest), expected)
    for (const limit of [1, 2]) assert.deepEqual((await list({ limit })).map(({ digest }) => digest), expected)
    await registry.deleteManifest('a', digestText(listed))
    assert.deepEqual((await list()).map(({ digest }) => digest), [digestText(both)])
    assert.ok(!(await list()).some(({ digest }) => digest === digestText(unknown)))
  })

  it('of a tree that a registry without them wrote are those that the tag lists', async () => {
    const store = new MemoryStore()
    registry = new RegistryCore(store)
    await pushBlob(registry, 'a', CONFIG)
    const listed = referrer('1', { artifactType: 'application/sbom' })
    await push(listed)
    await push(referrer('2'))
    await registry.putManifest('a', { reference: referrersTag(digestOf(SUBJECT)), bytes: imageIndex([listed]) })
    await store.commit({ changes: [{ delete: 'docker/registry/v2/repositories/a/_manifests/referrers' }] })
    assert.deepEqual(await list(), [{
      mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: digestText(listed), size: listed.length, artifactType: 'application/sbom',
    }])
    assert.deepEqual(await list({ artifactType: 'application/other' }), [])
  })

  it('tag of an ordinary image lists nothing, nor does that of what another registry stored and is none here', async () => {
    await pushImage(registry, 'a', referrersTag(digestOf(SUBJECT)))
    assert.deepEqual(await list(), [])
    const store = new MemoryStore()
    registry = new RegistryCore(store)
    const schema1 = bytesOf(JSON.stringify({ schemaVersion: 1, name: 'a' }))
    await store.commit({ changes: storedByOthers('a', referrersTag(digestOf(SUBJECT)), schema1) })
    assert.deepEqual(await list(), [])
  })
})
