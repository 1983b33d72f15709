import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { UploadBusyError } from '../../src/storage/errors.ts'
import { Lease } from '../../src/storage/embedded/lease.ts'
import { EmbeddedStore } from '../../src/storage/embedded/store.ts'

const RENEWAL = 15_000
/** Keeps the writes after it waiting. */
const SLOW = { sql: 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT max(i) FROM n', expect: [1_000_000] }

describe('Lease', () => {
  it('is not taken back by a renewal that was on its way when it was given back', async ({ mock }) => {
    const directory = await mkdtemp(join(tmpdir(), 'disco-lease-'))
    const store = await EmbeddedStore.open(directory)
    const { database, uploads } = store
    try {
      await uploads.create('id', 'r')
      mock.timers.enable({ apis: ['setInterval'] })
      const lease = await Lease.take(database, 'id')
      await assert.rejects(Lease.take(database, 'id'), UploadBusyError)
      await database.write([lease.check, lease.end])
      const slow = database.write([SLOW])
      mock.timers.tick(RENEWAL)
      await lease.release()
      await slow
      await database.write([])
      const next = await Lease.take(database, 'id')
      assert.equal(next.previous, lease.holder)
      await next.release()
    } finally {
      await store.close()
      await rm(directory, { recursive: true })
    }
  })
})
