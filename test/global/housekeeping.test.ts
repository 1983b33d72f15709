import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Housekeeping } from '../../src/global/housekeeping.ts'
import { MemoryStore } from '../../src/storage/memory/store.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'

const CID_NAME = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'

describe('housekeeping', () => {
  it('removes what clones left behind, and keeps what clients may go on with', async () => {
    const store = new MemoryStore()
    for (let number = 0; number < 3; number++) await store.uploads.create(`clone-${number}`, CID_NAME)
    await store.uploads.create('client', 'some/name')
    const housekeeping = new Housekeeping({ store, purgeUploads: async () => 0, log: silentLogger() })
    await housekeeping.start()
    assert.deepEqual((await store.uploads.list()).map(({ id }) => id), ['client'])
    await housekeeping.stop()
  })

  it('looks for abandoned uploads from the start, and outlives a failure of that', async () => {
    const asked: number[] = []
    const purgeUploads = async (age: number): Promise<number> => {
      asked.push(age)
      throw new Error('not today')
    }
    const housekeeping = new Housekeeping({ store: new MemoryStore(), purgeUploads, log: silentLogger() })
    await housekeeping.start()
    await housekeeping.stop()
    assert.deepEqual(asked, [7 * 24 * 3_600_000])
  })
})
