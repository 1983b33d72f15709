import { after, before } from 'node:test'
import { gcsBucket } from '../../../src/storage/bucket/gcs/open.ts'
import { FakeGcs } from '../harness/gcs.ts'
import { cutOffCommits } from '../harness/cut-off-commits.ts'
import { loadPackage } from '../harness/packages.ts'
import { DyingAtPort } from './dying-way.ts'

let server: FakeGcs
before(async () => {
  server = await FakeGcs.start()
})
after(() => server.remove())

cutOffCommits(async () => {
  const options = { ...(await server.bucket()), chunkSize: 256 * 1024 }
  const open = (): ReturnType<typeof gcsBucket> => gcsBucket(options, loadPackage)
  return { open, dying: (last, reached) => new DyingAtPort(open(), last, reached) }
})
