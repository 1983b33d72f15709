import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parseDigest, type Digest } from '../../src/oci/digest.ts'
import type { Manifest } from '../../src/oci/manifest.ts'
import { referrerOf } from '../../src/oci/referrer.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import { link, linkData } from '../../src/registry/links.ts'
import { inRepository, within } from '../../src/registry/paths.ts'
import { EmbeddedStore } from '../../src/storage/embedded/store.ts'
import type { AbortOptions, Batch, Change, ListOptions, ObjectStat, ObjectStore, ReadOptions, UploadStore } from '../../src/storage/object-store.ts'

const MANY = 10_000
const PAGE = 100

function digestAt(index: number): Digest {
  return parseDigest(`sha256:${index.toString(16).padStart(64, '0')}`) ?? assert.fail('no digest')
}

/** Counts what is asked of a store. */
class CountingStore implements ObjectStore {
  readonly uploads: UploadStore
  /** Questions about one object. */
  objects = 0
  lists = 0
  /** Names that lists gave. */
  names = 0
  readonly #inner: ObjectStore

  constructor(inner: ObjectStore) {
    this.#inner = inner
    this.uploads = inner.uploads
  }

  stat(path: string, options?: AbortOptions): Promise<ObjectStat | undefined> {
    this.objects++
    return this.#inner.stat(path, options)
  }

  get(path: string, options?: AbortOptions): Promise<Uint8Array | undefined> {
    this.objects++
    return this.#inner.get(path, options)
  }

  read(path: string, options?: ReadOptions): AsyncIterable<Uint8Array> {
    this.objects++
    return this.#inner.read(path, options)
  }

  async list(directory: string, options?: ListOptions): Promise<string[]> {
    const names = await this.#inner.list(directory, options)
    this.lists++
    this.names += names.length
    return names
  }

  commit(batch: Batch, options?: AbortOptions): Promise<void> {
    return this.#inner.commit(batch, options)
  }
}

/** A list costs its page, wherever that is and however long the list is. */
describe(`a page of ${PAGE}`, () => {
  const subject = digestAt(1)
  let directory: string
  let store: EmbeddedStore
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'disco-lists-'))
    store = await EmbeddedStore.open(directory)
  })
  after(async () => {
    await store.close()
    await rm(directory, { recursive: true, force: true })
  })

  const fill = async (change: (index: number) => Change): Promise<void> => {
    for (let at = 0; at < MANY; at += 1000) await store.commit({ changes: Array.from({ length: 1000 }, (_, index) => change(at + index)) })
  }

  async function cost<T>(page: (registry: RegistryCore) => Promise<T>): Promise<{ page: T; counted: CountingStore }> {
    const counted = new CountingStore(store)
    return { page: await page(new RegistryCore(counted)), counted }
  }

  it(`of ${MANY} tags`, async () => {
    await fill((index) => ({ put: inRepository('many', within.tagCurrent(`t${index}`)), data: linkData(subject) }))
    for (const last of [undefined, 't5', 't9']) {
      const { page, counted } = await cost((registry) => registry.tags('many', { limit: PAGE, after: last }))
      assert.equal(page.entries.length, PAGE)
      assert.deepEqual([counted.lists, counted.names, counted.objects], [1, PAGE + 1, 0])
    }
  })

  it(`of ${MANY} repositories`, async () => {
    await fill((index) => ({ put: inRepository(`team/r${index}`, within.revision(subject)), data: linkData(subject) }))
    for (const last of [undefined, 'team/r5', 'team/r9']) {
      const { page, counted } = await cost((registry) => registry.catalog({ limit: PAGE, after: last }))
      assert.equal(page.entries.length, PAGE)
      assert.ok(counted.names <= 5 * PAGE && counted.lists <= 4 * PAGE, `${counted.names} names in ${counted.lists} lists`)
      assert.equal(counted.objects, 0)
    }
  })

  it(`of ${MANY} referrers of one manifest`, async () => {
    const manifest: Manifest = { mediaType: 'application/x', blobs: [], manifests: [], artifactType: 'application/y' }
    await fill((index) => link(inRepository('signed', within.revision(digestAt(index))), digestAt(index)))
    await fill((index) => ({
      put: inRepository('signed', within.referrer(subject, digestAt(index))),
      data: Buffer.from(JSON.stringify(referrerOf(manifest, digestAt(index), index))),
    }))
    for (const last of [undefined, 5000, 9000]) {
      for (const artifactType of [undefined, 'application/none']) {
        const { page, counted } = await cost((registry) => registry.referrers('signed', `sha256:${subject.hex}`, {
          limit: PAGE, artifactType, after: last === undefined ? undefined : `sha256:${digestAt(last).hex}`,
        }))
        assert.equal(page.referrers.length, artifactType === undefined ? PAGE : 0)
        assert.equal(page.next, `sha256:${digestAt((last ?? -1) + PAGE).hex}`)
        // Whether it is there, how large its descriptor is, and that; one look is for the tag in which clients listed them before.
        assert.deepEqual([counted.lists, counted.names, counted.objects], [2, PAGE + 2, 3 * PAGE + 1])
      }
    }
  })
})
