import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../config/options.ts'
import { ImageIndexer } from '../global/image-indexer.ts'
import { LateBlocks } from '../global/late-blocks.ts'
import { shownBy } from '../global/repository-tree.ts'
import { EmbeddedDagIndex } from '../ipfs/embedded/dag-index.ts'
import type { BlockReader } from '../ipfs/node.ts'
import { Database, DATABASE_FILE } from '../storage/embedded/database.ts'
import { EmbeddedStore } from '../storage/embedded/store.ts'
import type { ChunkHashes, ObjectStore } from '../storage/object-store.ts'
import { silentLogger } from '../telemetry/create-logger.ts'
import type { Logger } from '../telemetry/logger.ts'
import { linksOf } from './links.ts'
import { embeddedNetwork } from './network.ts'
import { ofParts } from './parts.ts'
import { imagesPlace, openPlace, type Place } from './place.ts'
import type { BuiltStorage } from './storage.ts'

/** Where Disco is a node itself, and tells from its index which slice of which object is which block. */
export interface OwnStorage extends BuiltStorage {
  readonly index: EmbeddedDagIndex
}

type Choice = Pick<Config, 'data' | 'storageFilesystem' | 'storageInmemory' | 'readonly'> & Partial<Pick<Config, 'storageS3' | 'storageR2' | 'storageGcs' | 'storageAzure' | 'redirect' | 'redirectDisabled'>>

/** What is derived from images that are elsewhere, and what peers are told, is in the data directory, each Disco's own. @throws StorageFailedError */
export function openWithOwnNode(config: Choice, log: Logger = silentLogger()): Promise<OwnStorage> {
  const place = imagesPlace(config)
  return ofParts((parts) => (place === undefined ? openEmbedded(config, parts) : openAt(place, config, parts, log)))
}

async function openEmbedded({ data, readonly }: Choice, parts: AsyncDisposableStack): Promise<OwnStorage> {
  const store = parts.adopt(await EmbeddedStore.open(data), (opened) => opened.close())
  if (!readonly) store.prepare()
  const { database } = store
  const index = await EmbeddedDagIndex.open(database, store, { shownBy })
  return { ...withIndexOf(store, index), database, shared: false, close: () => parts.disposeAsync() }
}

async function openAt(place: Place, { data, readonly, redirect = true, redirectDisabled = false }: Choice, parts: AsyncDisposableStack, log: Logger): Promise<OwnStorage> {
  const { store, links } = parts.adopt(await openPlace(place, { readonly, log }), (opened) => opened.close())
  // An index of what is in memory goes with it.
  const directory = place.driver === 'inmemory' ? parts.adopt(await mkdtemp(join(tmpdir(), 'disco-index-')), (path) => rm(path, { recursive: true, force: true })) : data
  const database = parts.adopt(await Database.open(join(directory, DATABASE_FILE)), (opened) => opened.close())
  const index = await EmbeddedDagIndex.open(database, store, { apart: true, shownBy })
  const images = parts.adopt(new ImageIndexer({ store, index, provides: index, log: log.child({ name: 'index' }) }), (created) => created.close())
  const sent = linksOf({ redirect, redirectDisabled }, links)
  const blocks = new LateBlocks(index.blocks, images)
  // Peers ask everybody for anything: they take no turns away from clients, and nobody is kept waiting behind them.
  const peers = new LateBlocks(index.blocks, images, { queue: 0 })
  return { ...withIndexOf(store, index, blocks, peers), links: sent, database, images, shared: true, close: () => parts.disposeAsync() }
}

function withIndexOf(store: ObjectStore & ChunkHashes, index: EmbeddedDagIndex, blocks: BlockReader = index.blocks, peers: BlockReader = blocks): Omit<OwnStorage, 'database' | 'shared' | 'close'> {
  return {
    store, index, blocks, provides: index, queue: index.queue, indexed: () => index.blocks.objects, checks: [], background: [],
    network: (ground) => embeddedNetwork(ground, store, index, peers),
  }
}
