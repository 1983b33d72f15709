import { after, before, describe } from 'node:test'
import { Repository } from './client.ts'
import { contentDiscoverySuite } from './content-discovery.ts'
import { contentManagementSuite, withoutDeletionSuite } from './content-management.ts'
import { errorsSuite } from './errors.ts'
import { pullSuite } from './pull.ts'
import { pushSuite } from './push.ts'
import type { RunningRegistry, StartRegistry } from './registries.ts'

/** Every MUST and SHOULD of the distribution-spec (main, 1.1.1+dev) that is about registries, by its section, on one kind of registry. */
export function specificationSuite(kind: string, start: StartRegistry): void {
  describe(kind, () => {
    let registry: RunningRegistry
    let names = 0
    before(async () => {
      registry = await start({ deletes: true })
    })
    after(() => registry.stop())
    const repository = (): Repository => new Repository(registry.base, `spec/r${names++}`)
    pullSuite(repository)
    pushSuite(repository)
    contentDiscoverySuite(repository)
    contentManagementSuite(repository)
    errorsSuite(repository)
  })

  describe(`${kind}, without deletion`, () => {
    let registry: RunningRegistry
    let names = 0
    before(async () => {
      registry = await start({ deletes: false })
    })
    after(() => registry.stop())
    withoutDeletionSuite(() => new Repository(registry.base, `spec/r${names++}`))
  })
}
