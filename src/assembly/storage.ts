import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../config/options.ts'
import { ConfigError } from '../config/problem.ts'
import { EmbeddedDagIndex } from '../ipfs/embedded/dag-index.ts'
import { uploadPlaces as places } from '../registry/paths.ts'
import { Database } from '../storage/embedded/database.ts'
import { StoreReader } from '../storage/embedded/store-reader.ts'
import { EmbeddedStore } from '../storage/embedded/store.ts'
import { FilesystemReader } from '../storage/filesystem/reader.ts'
import { FilesystemStore } from '../storage/filesystem/store.ts'
import { MemoryStore } from '../storage/memory/store.ts'
import type { ChunkHashes, ObjectReader, ObjectStore } from '../storage/object-store.ts'

/** Where images are, and which IPFS blocks they are made of. */
export interface BuiltStorage {
  readonly store: ObjectStore & ChunkHashes
  readonly index: EmbeddedDagIndex
  /** Of the index, and of the embedded store. */
  readonly database: Database
  /** The index is kept apart from the images: it may lack some of them. */
  readonly apart: boolean
  close(): Promise<void>
}

type Choice = Pick<Config, 'data' | 'storageFilesystem' | 'storageInmemory' | 'readonly'>

/** The database of the data directory. */
const DATABASE = 'disco.db'

/**
 * Opens the store that the configuration names; without one, the embedded store in the data directory.
 *
 * @throws ConfigError, StorageFailedError
 */
export async function openStorage(config: Choice): Promise<BuiltStorage> {
  if (config.storageInmemory) return openMemory()
  if (config.storageFilesystem !== undefined) return openFilesystem(config.storageFilesystem, config)
  const store = await EmbeddedStore.open(config.data)
  const { database } = store
  return { store, database, index: await closingAfter(store, () => EmbeddedDagIndex.open(database, store)), apart: false, close: () => store.close() }
}

/** What Distribution calls a driver. */
export function driverOf({ storageInmemory, storageFilesystem }: Pick<Config, 'storageInmemory' | 'storageFilesystem'>): string {
  if (storageInmemory) return 'inmemory'
  return storageFilesystem === undefined ? 'embedded' : 'filesystem'
}

/** What `disco images` and `disco cid` look into; undefined where nothing is yet. @throws ConfigError, StorageFailedError */
export function openReader(config: Choice): { readonly reader: ObjectReader; readonly close: () => void } | undefined {
  if (config.storageInmemory) throw new ConfigError([{ where: 'storage.inmemory', reason: 'images in memory are gone with their process: there is nothing to look into' }])
  if (config.storageFilesystem !== undefined) return { reader: new FilesystemReader(config.storageFilesystem, places), close: () => {} }
  const reader = StoreReader.open(config.data)
  return reader && { reader, close: () => reader.close() }
}

/** A plain directory; what is derived from it, and what peers are told, is in the data directory. */
async function openFilesystem(root: string, { data, readonly }: Choice): Promise<BuiltStorage> {
  const store = await FilesystemStore.open(root, { places, readonly })
  return closingAfter(store, () => withIndex(store, data, () => store.close()))
}

async function openMemory(): Promise<BuiltStorage> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-index-'))
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true })
  try {
    return await withIndex(new MemoryStore(), directory, remove)
  } catch (error) {
    await remove()
    throw error
  }
}

async function withIndex(store: ObjectStore & ChunkHashes, directory: string, closeStore: () => Promise<void>): Promise<BuiltStorage> {
  const database = await Database.open(join(directory, DATABASE))
  const close = async (): Promise<void> => {
    await database.close()
    await closeStore()
  }
  return { store, database, index: await closingAfter(database, () => EmbeddedDagIndex.open(database, store, { apart: true })), apart: true, close }
}

/** What is open already is closed when the rest fails. */
async function closingAfter<T>(open: { close(): Promise<void> }, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await open.close()
    throw error
  }
}
