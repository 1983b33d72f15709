import { after, before } from 'node:test'
import { S3Bucket } from '../../../src/storage/bucket/s3/bucket.ts'
import { cutOffCommits } from '../harness/cut-off-commits.ts'
import { S3Server } from '../harness/s3.ts'
import { DyingBucket } from './dying-bucket.ts'

let server: S3Server
before(async () => {
  server = await S3Server.start()
})
after(() => server.remove())

cutOffCommits(async () => {
  const options = await server.bucket()
  return { open: () => S3Bucket.of(options), dying: (last, reached) => new DyingBucket(options, last, reached) }
})
