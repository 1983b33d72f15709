import type { Config } from '../config/options.ts'
import { digestOfTag } from '../global/images.ts'
import { LATEST } from '../global/repository-tree.ts'
import { KuboDagIndex } from '../ipfs/kubo/dag/dag-index.ts'
import { KuboNetwork } from '../ipfs/kubo/network/network.ts'
import { KuboHolds } from '../ipfs/kubo/nodes/hold.ts'
import { KuboNode } from '../ipfs/kubo/nodes/node.ts'
import { KuboNodes } from '../ipfs/kubo/nodes/nodes.ts'
import { Placement } from '../ipfs/kubo/store/placement.ts'
import { KuboReader } from '../ipfs/kubo/store/reader.ts'
import { KuboJournal } from '../ipfs/kubo/store/journal.ts'
import { KuboStore } from '../ipfs/kubo/store/store.ts'
import { KuboUploads } from '../ipfs/kubo/uploads/uploads.ts'
import { NodeWatch } from '../ipfs/kubo/nodes/node-watch.ts'
import { PINS_TABLE, readRemotePins } from '../ipfs/kubo/pins/remote-pin-table.ts'
import { RemotePins } from '../ipfs/kubo/pins/remote-pins.ts'
import { formatDigest } from '../oci/digest.ts'
import { DatabaseReader } from '../storage/embedded/database-reader.ts'
import { EmbeddedStore } from '../storage/embedded/store.ts'
import type { AbortOptions, ObjectReader } from '../storage/object-store.ts'
import type { CheckOptions, Probe } from '../telemetry/health.ts'
import type { Logger } from '../telemetry/logger.ts'
import { ofParts } from './parts.ts'
import type { ImagePin, OpenReader } from './reader.ts'
import type { BuiltStorage, NamedCheck } from './storage.ts'
import { Tidier } from './tidier.ts'

/**
 * Images in Kubos, and what is Disco's alone in the data directory. A node that is down keeps nothing from starting.
 *
 * @throws KuboUnfitError, StorageFailedError
 */
export async function openKubo({ data, kubo, pinning, readonly }: Config, log: Logger): Promise<BuiltStorage> {
  return ofParts(async (parts) => {
    const nodes = parts.adopt(kuboNodes(kubo), (opened) => opened.close())
    const watch = new NodeWatch(nodes.all, log)
    await watch.check()
    const local = parts.adopt(await EmbeddedStore.open(data), (opened) => opened.close())
    if (!readonly) local.prepare()
    const { database } = local
    const journal = await KuboJournal.open(local)
    const uploads = parts.adopt(await KuboUploads.open({ local, nodes, log, isAwaited: (id) => journal.awaits(id) }), (opened) => opened.close())
    const store = parts.adopt(new KuboStore({ nodes, local, journal, uploads, directory: data, log }), (opened) => opened.close())
    const placement = await Placement.open({ nodes, database, log })
    const index = await KuboDagIndex.open(database, nodes)
    const holds = new KuboHolds(uploads.owner)
    const pins = await RemotePins.open({
      nodes, holds, database, services: pinning, nameOf: (image, options) => manifestOf(store, image.toString(), options), log: log.child({ name: 'pinning' }),
    })
    const tidy = async (options: AbortOptions): Promise<number> => {
      const removed = (await uploads.clean(options)) + (await index.clean(options))
      await placement.look(options)
      return removed
    }
    return {
      store,
      index,
      provides: index,
      pushed: pins,
      queue: index.queue,
      database,
      shared: false,
      nodes: () => watch.states,
      ...(pinning.length > 0 && { remotePins: () => pins.counts() }),
      checks: checksOf(nodes),
      background: [watch, pins, ...(readonly ? [] : [new Tidier(tidy, log)])],
      network: ({ config, observability, log: own }) => new KuboNetwork({
        options: { peers: config.peer, findTimeout: config.cloneTimeout },
        nodes, store, uploads, holds, held: index.held, queue: index.queue, observer: observability.observers.blocks, traceparent: observability.traceparent, log: own,
      }),
      close: () => parts.disposeAsync(),
    }
  })
}

/** What an image's pins are named after. */
async function manifestOf(store: ObjectReader, image: string, options: AbortOptions): Promise<string | undefined> {
  const digest = await digestOfTag(store, image, LATEST, options)
  return digest && formatDigest(digest)
}

/** What the nodes have. @throws StorageFailedError */
export async function openKuboReader({ data, kubo }: Config): Promise<OpenReader> {
  const database = DatabaseReader.open(data)
  const nodes = kuboNodes(kubo)
  const close = (): void => {
    nodes.close()
    database?.close()
  }
  const pins = (image: string): readonly ImagePin[] => (database?.hasTable(PINS_TABLE) === true ? readRemotePins(database, image) : [])
  return { reader: new KuboReader(nodes, database), pins, close }
}

function kuboNodes(kubo: Config['kubo']): KuboNodes {
  return new KuboNodes(kubo.map(({ url, token }) => new KuboNode(url, { token })))
}

/** With several, one that is down is told of and serves nothing, and the rest goes on. */
function checksOf({ all }: KuboNodes): NamedCheck[] {
  const probeOf = (node: KuboNode): Probe => async (signal) => void (await node.id({ signal }))
  const each = all.map((node) => ({ name: `ipfs ${node.name}`, probe: probeOf(node), options: { advisory: all.length > 1 } satisfies CheckOptions }))
  const any: Probe = async (signal) => void (await Promise.any(all.map((node) => node.id({ signal }))))
  return all.length > 1 ? [...each, { name: 'ipfs_any', probe: any, options: {} }] : each
}
