import { EmbeddedStore } from '../../../src/storage/embedded/store.ts'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import { KuboNodes } from '../../../src/ipfs/kubo/nodes/nodes.ts'
import { KuboJournal } from '../../../src/ipfs/kubo/store/journal.ts'
import { KuboStore } from '../../../src/ipfs/kubo/store/store.ts'
import { KuboUploads } from '../../../src/ipfs/kubo/uploads/uploads.ts'
import { silentLogger } from '../../../src/telemetry/create-logger.ts'
import { disco, plain, type StartRegistry } from '../../spec/registries.ts'
import { specificationSuite } from '../../spec/suite.ts'
import { Kubo } from '../harness/kubo.ts'

specificationSuite('a plain registry on a Kubo', onKubo(({ url }) => plain(async (directory) => {
  const log = silentLogger()
  const parts = new AsyncDisposableStack()
  const nodes = parts.adopt(new KuboNodes([new KuboNode(url)]), (opened) => opened.close())
  const local = parts.adopt(await EmbeddedStore.open(directory), (opened) => opened.close())
  const journal = await KuboJournal.open(local)
  const uploads = parts.adopt(await KuboUploads.open({ local, nodes, log, isAwaited: (id) => journal.awaits(id) }), (opened) => opened.close())
  const store = parts.adopt(new KuboStore({ nodes, local, journal, uploads, directory, log }), (opened) => opened.close())
  return { store, close: () => parts.disposeAsync() }
})))

specificationSuite('Disco on a Kubo', onKubo(({ url }) => disco(() => ({ kubo: [{ url }] }))))

/** On a node of its own, so that it finds nothing of another's. */
function onKubo(start: (kubo: Kubo) => StartRegistry): StartRegistry {
  return async (policy) => {
    const kubo = await Kubo.start()
    const registry = await start(kubo)(policy)
    const stop = async (): Promise<void> => {
      await registry.stop()
      await kubo.remove()
    }
    return { ...registry, stop }
  }
}
