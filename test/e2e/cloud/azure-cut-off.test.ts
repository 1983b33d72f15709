import { after, before } from 'node:test'
import { azureBucket } from '../../../src/storage/bucket/azure/open.ts'
import { Azurite } from '../harness/azurite.ts'
import { cutOffCommits } from '../harness/cut-off-commits.ts'
import { loadPackage } from '../harness/packages.ts'
import { DyingAtPort } from './dying-way.ts'

let server: Azurite
before(async () => {
  server = await Azurite.start()
})
after(() => server.remove())

cutOffCommits(async () => {
  const options = await server.container()
  const open = (): ReturnType<typeof azureBucket> => azureBucket(options, loadPackage)
  return { open, dying: (last, reached) => new DyingAtPort(open(), last, reached) }
})
