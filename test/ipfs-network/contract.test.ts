import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EmbeddedDagIndex } from '../../src/ipfs/embedded/dag-index.ts'
import { EmbeddedNetwork } from '../../src/ipfs/embedded/network.ts'
import { sessionOpener } from '../../src/ipfs/embedded/session-opener.ts'
import { EmbeddedStore } from '../../src/storage/embedded/store.ts'
import { silentLogger } from '../../src/telemetry/create-logger.ts'
import { ipfsNetworkContract } from '../contract/ipfs-network.ts'

const FIND_TIMEOUT = 3_000

interface Node {
  readonly network: EmbeddedNetwork
  readonly store: EmbeddedStore
  readonly index: EmbeddedDagIndex
  close(): Promise<void>
}

async function createNode(peers: string[]): Promise<Node> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-network-'))
  const store = await EmbeddedStore.open(directory)
  const index = await EmbeddedDagIndex.open(store.database, store)
  const log = silentLogger()
  const network = new EmbeddedNetwork({
    options: { mode: 'private', directory, listen: ['/ip4/127.0.0.1/tcp/0'], peers, findTimeout: FIND_TIMEOUT },
    blocks: index.blocks,
    queue: index.queue,
    session: sessionOpener({ store, index, log }),
    log,
  })
  const close = async (): Promise<void> => {
    await network.stop()
    await store.close()
    await rm(directory, { recursive: true })
  }
  return { network, store, index, close }
}

ipfsNetworkContract('EmbeddedNetwork', async () => {
  const other = await createNode([])
  await other.network.start()
  const tested = await createNode([...(await other.network.info()).addresses])
  let files = 0
  return {
    network: tested.network,
    findTimeout: FIND_TIMEOUT,
    other: {
      addTree: (tree) => other.index.addTree(tree),
      addFile: async (content) => {
        const path = `contract/${files++}`
        await other.store.commit({ changes: [{ put: path, data: content }] })
        return other.index.file(path)
      },
    },
    close: async () => {
      await tested.close()
      await other.close()
    },
  }
})
