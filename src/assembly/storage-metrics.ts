import type { AddGauge } from '../telemetry/gauge.ts'
import type { BuiltStorage } from './storage.ts'

/** Sessions that are counted; more are this many. */
const MOST_SESSIONS = 1000

/** @param main whether what all processes share is told here */
export function storageMetrics(add: AddGauge, { store, queue, indexed, nodes = () => [], remotePins = () => [], database }: BuiltStorage, main: boolean): void {
  add({ name: 'disco_database_writes_total', help: 'Writes to the database.', counter: true, read: () => database.load.writes })
  add({ name: 'disco_database_commits_total', help: 'Commits that those writes shared.', counter: true, read: () => database.load.commits })
  add({ name: 'disco_database_writes_waiting', help: 'Writes that wait for their commit.', read: () => database.load.waiting })
  if (!main) return
  add({ name: 'disco_database_size_bytes', help: 'The database: links, tags, the block index.', read: () => database.size })
  if (indexed !== undefined) add({ name: 'disco_ipfs_indexed_objects', help: 'Stored objects whose blocks have been indexed.', read: indexed })
  add({
    name: 'disco_ipfs_node_up', help: 'Whether an IPFS node can be used, which is a program of its own.', labels: ['node'],
    read: () => nodes().map(({ name: node, failure }) => ({ labels: { node }, value: failure === undefined ? 1 : 0 })),
  })
  add({
    name: 'disco_ipfs_remote_pins', help: 'Images at remote pinning services.', labels: ['service', 'state'],
    read: () => remotePins().map(({ service, state, images }) => ({ labels: { service, state }, value: images })),
  })
  add({ name: 'disco_ipfs_provides_waiting', help: 'Roots that the network has not heard of yet.', read: () => queue.count(1) })
  add({
    name: 'disco_upload_sessions', help: `Uploads that were begun and not finished, ${MOST_SESSIONS} at most.`,
    read: async () => (await store.uploads.list({ limit: MOST_SESSIONS })).length,
  })
}
