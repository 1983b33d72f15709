import { after, before } from 'node:test'
import { bucketPlaces as places } from '../../../src/registry/paths.ts'
import { S3Bucket } from '../../../src/storage/bucket/s3/bucket.ts'
import { BucketStore } from '../../../src/storage/bucket/store.ts'
import { disco, plain } from '../../spec/registries.ts'
import { specificationSuite } from '../../spec/suite.ts'
import { S3Server } from '../harness/s3.ts'

let server: S3Server
before(async () => {
  server = await S3Server.start()
})
after(() => server.remove())

specificationSuite('a plain registry on a bucket', plain(async () => {
  const store = await BucketStore.open(S3Bucket.of(await server.bucket()), { places })
  return { store, close: () => store.close() }
}))

specificationSuite('Disco on a bucket', async (policy) => {
  const storageS3 = await server.bucket()
  return await disco(() => ({ storageS3, redirectDisabled: true }))(policy)
})
