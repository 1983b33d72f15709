import { after, before } from 'node:test'
import { bucketPlaces as places } from '../../../src/registry/paths.ts'
import { S3Store } from '../../../src/storage/s3/store.ts'
import { objectStoreContract } from '../../contract/object-store.ts'
import { S3Server } from '../harness/s3.ts'

let server: S3Server
before(async () => {
  server = await S3Server.start()
})
after(() => server.remove())

objectStoreContract('S3Store', async () => {
  const options = await server.bucket()
  let store = await S3Store.open(options, { places })
  const others: S3Store[] = []
  return {
    store,
    // The server keeps objects as files.
    leavesOnly: true,
    // … and answers with names in XML, though asked for others.
    plainNames: true,
    tick: 1000,
    reopen: async () => {
      await store.close()
      store = await S3Store.open(options, { places })
      return store
    },
    again: async () => {
      const other = await S3Store.open(options, { places })
      others.push(other)
      return other
    },
    files: async () => {
      const { objects } = await store.bucket.page('')
      return objects.filter(({ path }) => !/^\.disco\/(?:chunks|locks|journal)\//.test(path)).length
    },
    close: async () => {
      for (const each of [store, ...others]) await each.close()
    },
  }
})
