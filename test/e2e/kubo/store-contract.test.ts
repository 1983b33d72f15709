import { after, before, describe } from 'node:test'
import { objectStoreContract } from '../../contract/object-store.ts'
import { Kubo } from '../harness/kubo.ts'
import { belowStore } from './below-store.ts'
import { emptied, nodesOf, openKuboStore, removed, type OpenedKuboStore } from './kubo-store-scene.ts'

const REPOSITORIES = 'docker/registry/v2/repositories'

for (const [name, count] of [['one node', 1], ['three nodes', 3]] as const) {
  describe(`the promises of a store, on Kubo: ${name}`, { timeout: 240_000 }, () => {
    const kubos: Kubo[] = []

    before(async () => {
      for (let i = 0; i < count; i++) kubos.push(await Kubo.start())
      for (const kubo of kubos.slice(1)) await kubos[0]?.connect(kubo)
    })

    after(async () => {
      for (const kubo of kubos) await kubo.remove()
    })

    objectStoreContract(`KuboStore, ${name}`, async () => {
      const directory = await emptied(kubos)
      const opened: OpenedKuboStore[] = []
      const open = async (): Promise<ReturnType<typeof belowStore>> => {
        const one = await openKuboStore(nodesOf(kubos), directory)
        opened.push(one)
        return belowStore(one.store, REPOSITORIES)
      }
      return {
        store: await open(),
        leavesOnly: true,
        reopen: async () => {
          await opened.pop()?.close()
          return open()
        },
        again: open,
        close: async () => {
          for (const one of opened) await one.close()
          await removed(directory)
        },
      }
    })
  })
}
