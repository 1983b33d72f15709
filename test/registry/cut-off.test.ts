import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RegistryError } from '../../src/oci/errors.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import type { Batch } from '../../src/storage/object-store.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { bytesOf, digestText, imageManifest, pushBlob } from './sample.ts'

const SUBJECT = digestText(bytesOf('a manifest that is not here'))
const TAGS = ['v1', 'v1.2', 'v2']

class CutOffError extends Error {}

/** A store without transactions, which dies after so many changes. */
class CuttableStore extends MemoryStore {
  left = Infinity

  override async commit({ changes = [], ...batch }: Batch): Promise<void> {
    await super.commit({ ...batch, changes: changes.slice(0, this.left) })
    this.left -= changes.length
    if (this.left < 0) throw new CutOffError()
  }
}

async function there(work: Promise<unknown>): Promise<boolean> {
  return await work.then(() => true, (error: unknown) => {
    assert.ok(error instanceof RegistryError && error.status === 404, String(error))
    return false
  })
}

/** What a client sees of a manifest; fails where one thing that it sees leads to another that is not there. */
async function seen(registry: RegistryCore, digest: string): Promise<{ byTags: number; byDigest: boolean; listed: boolean }> {
  const byDigest = await there(registry.manifest('a', digest))
  const tagged = await Promise.all(TAGS.map((tag) => there(registry.manifest('a', tag))))
  const byTags = tagged.filter(Boolean).length
  const listed = (await registry.referrers('a', SUBJECT)).referrers.length > 0
  if (byDigest) await registry.blob('a', digestText(bytesOf('{}')))
  if (byTags > 0 || listed) assert.ok(byDigest, 'what is tagged or listed is there')
  return { byTags, byDigest, listed }
}

type Step = (registry: RegistryCore) => Promise<void>

interface Steps {
  readonly prepare: Step
  readonly work: Step
  /** After the work, cut off or not. */
  readonly look: Step
  /** After the work once more. */
  readonly done: Step
}

/** Does `work` on a store that dies after every single change; returns after how many there was none left to lose. */
async function cutEverywhere({ prepare, work, look, done }: Steps): Promise<number> {
  for (let cut = 0; cut < 100; cut++) {
    const store = new CuttableStore()
    const registry = new RegistryCore(store)
    await prepare(registry)
    store.left = cut
    const whole = await work(registry).then(() => true, (error: unknown) => {
      assert.ok(error instanceof CutOffError, String(error))
      return false
    })
    store.left = Infinity
    await look(registry)
    if (whole) return cut
    await there(work(registry))
    await done(registry)
  }
  return assert.fail('no end')
}

describe('on a store without transactions that dies in the middle', () => {
  const bytes = imageManifest(bytesOf('{}'), [], { subject: { mediaType: 'application/x', digest: SUBJECT, size: 1 } })
  const digest = digestText(bytes)
  const push = async (registry: RegistryCore): Promise<void> => {
    await registry.putManifest('a', { reference: digest, tags: TAGS, bytes })
  }

  it('a push shows nothing that is not whole, and is done by the next one', async () => {
    const cuts = await cutEverywhere({
      prepare: async (registry) => { await pushBlob(registry, 'a', bytesOf('{}')) },
      work: push,
      look: async (registry) => {
        const { byTags, listed } = await seen(registry, digest)
        if (byTags > 0) assert.ok(listed, 'what is tagged is listed')
      },
      done: async (registry) => assert.deepEqual(await seen(registry, digest), { byTags: TAGS.length, byDigest: true, listed: true }),
    })
    assert.equal(cuts, 4 + TAGS.length * 2)
  })

  it('a delete takes the manifest from all its tags at once', async () => {
    const cuts = await cutEverywhere({
      prepare: async (registry) => {
        await pushBlob(registry, 'a', bytesOf('{}'))
        await push(registry)
      },
      work: (registry) => registry.deleteManifest('a', digest),
      look: async (registry) => {
        const { byDigest, byTags } = await seen(registry, digest)
        assert.equal(byTags, byDigest ? TAGS.length : 0)
      },
      done: async (registry) => {
        assert.deepEqual(await seen(registry, digest), { byTags: 0, byDigest: false, listed: false })
        assert.equal(await registry.exists('a'), false)
      },
    })
    assert.equal(cuts, TAGS.length + 2)
  })
})
