import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KuboDagIndex } from '../../../src/ipfs/kubo/dag/dag-index.ts'
import { KuboNetwork, type KuboNetworkOptions } from '../../../src/ipfs/kubo/network/network.ts'
import { KuboHolds } from '../../../src/ipfs/kubo/nodes/hold.ts'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import { KuboNodes } from '../../../src/ipfs/kubo/nodes/nodes.ts'
import { KuboJournal } from '../../../src/ipfs/kubo/store/journal.ts'
import { KuboStore } from '../../../src/ipfs/kubo/store/store.ts'
import { KuboUploads } from '../../../src/ipfs/kubo/uploads/uploads.ts'
import { EmbeddedStore } from '../../../src/storage/embedded/store.ts'
import { silentLogger } from '../../../src/telemetry/create-logger.ts'
import { Kubo, type KuboOptions } from '../harness/kubo.ts'

/** What a registry over Kubos has of IPFS, without the registry. */
export interface KuboSide {
  readonly kubos: readonly Kubo[]
  readonly nodes: KuboNodes
  readonly local: EmbeddedStore
  readonly uploads: KuboUploads
  readonly store: KuboStore
  readonly index: KuboDagIndex
  readonly holds: KuboHolds
  readonly network: KuboNetwork
  close(): Promise<void>
}

export interface SideOptions extends KuboNetworkOptions {
  /** @default 1 */
  readonly nodes?: number
  readonly kubo?: KuboOptions
}

/** Kubos of its own, which know nobody but `peers`; the network is not started. */
export async function kuboSide({ nodes: count = 1, kubo, ...options }: SideOptions = {}): Promise<KuboSide> {
  const parts = new AsyncDisposableStack()
  const log = silentLogger()
  const directory = await mkdtemp(join(tmpdir(), 'disco-kubo-side-'))
  parts.defer(() => rm(directory, { recursive: true, force: true }))
  const kubos = await Promise.all(Array.from({ length: count }, () => Kubo.start(kubo)))
  for (const one of kubos) parts.defer(() => one.remove())
  const nodes = parts.adopt(new KuboNodes(kubos.map(({ url }) => new KuboNode(url))), (opened) => opened.close())
  const local = parts.adopt(await EmbeddedStore.open(directory), (opened) => opened.close())
  const journal = await KuboJournal.open(local)
  const uploads = parts.adopt(await KuboUploads.open({ local, nodes, log, isAwaited: (id) => journal.awaits(id) }), (opened) => opened.close())
  const store = parts.adopt(new KuboStore({ nodes, local, journal, uploads, directory, log }), (opened) => opened.close())
  const index = await KuboDagIndex.open(local.database, nodes)
  const holds = new KuboHolds(uploads.owner)
  const network = parts.adopt(new KuboNetwork({ options, nodes, store, uploads, holds, held: index.held, queue: index.queue, log }), (opened) => opened.stop())
  return { kubos, nodes, local, uploads, store, index, holds, network, close: () => parts.disposeAsync() }
}

/** A path as blobs have it. */
export function blobPath(hex: string = randomUUID().replaceAll('-', '').padEnd(64, '0')): string {
  return `docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`
}
