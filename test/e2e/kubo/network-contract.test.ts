import { encodeCar } from '../../../src/ipfs/car.ts'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import { layoutTree } from '../../../src/ipfs/unixfs/tree-layout.ts'
import { ipfsNetworkContract } from '../../contract/ipfs-network.ts'
import { Kubo } from '../harness/kubo.ts'
import { kuboSide } from './network-scene.ts'

const FIND_TIMEOUT = 3_000

for (const nodes of [1, 3]) {
  ipfsNetworkContract(nodes === 1 ? 'KuboNetwork' : `KuboNetwork of ${nodes} nodes`, async () => {
    const kubo = await Kubo.start()
    const other = new KuboNode(kubo.url)
    const side = await kuboSide({ nodes, peers: [kubo.addresses[0] ?? ''], findTimeout: FIND_TIMEOUT })
    return {
      network: side.network,
      findTimeout: FIND_TIMEOUT,
      other: {
        async addTree(tree) {
          const { root, blocks } = layoutTree(tree)
          await other.importCar(encodeCar(root, each(blocks)))
          return root
        },
        addFile: (content) => other.add(each([content])),
      },
      async close() {
        await side.close()
        other.close()
        await kubo.remove()
      },
    }
  })
}

async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items
}
