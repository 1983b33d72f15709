import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino, { type Logger } from 'pino'
import { KuboNode } from '../../../src/ipfs/kubo/nodes/node.ts'
import { KuboNodes } from '../../../src/ipfs/kubo/nodes/nodes.ts'
import { KuboJournal } from '../../../src/ipfs/kubo/store/journal.ts'
import { KuboStore } from '../../../src/ipfs/kubo/store/store.ts'
import { KuboUploads } from '../../../src/ipfs/kubo/uploads/uploads.ts'
import { EmbeddedStore } from '../../../src/storage/embedded/store.ts'
import type { Kubo } from '../harness/kubo.ts'

export interface OpenedKuboStore {
  readonly store: KuboStore
  readonly uploads: KuboUploads
  readonly nodes: KuboNodes
  readonly local: EmbeddedStore
  close(): Promise<void>
}

/** A store over nodes and a data directory, as a process has it. */
export async function openKuboStore(nodes: readonly KuboNode[], directory: string, log: Logger = pino({ level: 'silent' })): Promise<OpenedKuboStore> {
  const all = new KuboNodes(nodes)
  const local = await EmbeddedStore.open(directory)
  const journal = await KuboJournal.open(local)
  const uploads = await KuboUploads.open({ local, nodes: all, log, isAwaited: (id) => journal.awaits(id) })
  const store = new KuboStore({ nodes: all, local, journal, uploads, directory, log })
  return {
    store,
    uploads,
    nodes: all,
    local,
    close: async () => {
      await store.close()
      await uploads.close()
      await local.close()
      all.close()
    },
  }
}

export function nodesOf(kubos: readonly Kubo[]): KuboNode[] {
  return kubos.map(({ url }) => new KuboNode(url))
}

/** Nodes with nothing in MFS, and an empty data directory: what is there before the first push. */
export async function emptied(kubos: readonly Kubo[]): Promise<string> {
  for (const node of nodesOf(kubos)) {
    await node.remove(['/docker', '/disco'])
    await node.flush('/')
    node.close()
  }
  return mkdtemp(join(tmpdir(), 'disco-kubo-store-'))
}

export async function removed(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
}
