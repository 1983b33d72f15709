import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { run } from '../harness/command.ts'
import { S3Server } from '../harness/s3.ts'

/** MiB; more by hand: `DISCO_TEST_BLOB=5120`. */
const SIZE = process.env['DISCO_TEST_BLOB'] ?? '300'
/** MiB by which a process may grow, whatever the size: what is on its way, and what waits to be collected. */
const GROWTH = 170

let server: S3Server
before(async () => {
  server = await S3Server.start()
})
after(() => server.remove())

describe('a large blob', () => {
  it('goes into a bucket and comes back in memory that does not grow with it', { timeout: 1_200_000 }, async () => {
    const options = JSON.stringify(await server.bucket())
    const grown = Number(await run(process.execPath, [join(import.meta.dirname, 'large-blob.ts'), options, SIZE], { timeout: 1_200_000 }))
    assert.ok(grown < GROWTH, `it grew by ${grown} MiB`)
  })
})
