import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Housekeeping, type UploadPurging } from '../../src/global/housekeeping.ts'
import { RegistryCore } from '../../src/registry/core.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'

const CID_NAME = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'
const HOUR = 3_600_000

async function left(store: MemoryStore, purging: Partial<UploadPurging>, log = silentLogger()): Promise<string[]> {
  const core = new RegistryCore(store)
  const housekeeping = new Housekeeping({ removeUploads: core.removeUploads.bind(core), log }, { enabled: true, age: HOUR, interval: HOUR, dryRun: false, ...purging })
  await housekeeping.start()
  await sleep(20)
  await housekeeping.stop()
  return (await store.uploads.list()).map(({ id }) => id)
}

async function storeWith(...uploads: readonly (readonly [id: string, repository: string])[]): Promise<MemoryStore> {
  const store = new MemoryStore()
  for (const [id, repository] of uploads) await store.uploads.create(id, repository)
  // so that it is older than nothing at all
  await sleep(5)
  return store
}

describe('housekeeping', () => {
  it('removes what clones left behind, and keeps what clients may go on with', async () => {
    for (const enabled of [true, false]) {
      const store = await storeWith(['clone-0', CID_NAME], ['clone-1', CID_NAME], ['client', 'some/name'])
      assert.deepEqual(await left(store, { enabled }), ['client'])
    }
  })

  it('purges uploads that are older than they may be, where it shall', async () => {
    assert.deepEqual(await left(await storeWith(['old', 'some/name']), { age: 1 }), [])
    assert.deepEqual(await left(await storeWith(['old', 'some/name']), { age: HOUR }), ['old'])
    assert.deepEqual(await left(await storeWith(['old', 'some/name']), { age: 1, enabled: false }), ['old'])
  })

  it('only tells what it would purge, when asked to', async () => {
    const told: unknown[] = []
    const log = Object.assign(silentLogger(), { info: (what: unknown) => told.push(what) })
    assert.deepEqual(await left(await storeWith(['old', 'some/name']), { age: 1, dryRun: true }, log), ['old'])
    assert.equal((told as { id: string }[])[0]?.id, 'old')
  })

  it('looks again after the interval', async () => {
    const looks: number[] = []
    const removeUploads = async (): Promise<number> => looks.push(Date.now())
    const housekeeping = new Housekeeping({ removeUploads, log: silentLogger() }, { enabled: true, age: HOUR, interval: 5, dryRun: false })
    await housekeeping.start()
    while (looks.length < 4) await sleep(5)
    await housekeeping.stop()
    const before = looks.length
    await sleep(30)
    assert.equal(looks.length, before)
  })

  it('outlives a failure of purging', async () => {
    const looks: number[] = []
    const removeUploads = async (): Promise<number> => {
      if (looks.push(Date.now()) > 1) throw new Error('not today')
      return 0
    }
    const housekeeping = new Housekeeping({ removeUploads, log: silentLogger() }, { enabled: true, age: HOUR, interval: 1, dryRun: false })
    await housekeeping.start()
    while (looks.length < 4) await sleep(5)
    await housekeeping.stop()
  })
})
