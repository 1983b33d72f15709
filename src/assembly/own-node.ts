import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../config/options.ts'
import { EmbeddedDagIndex } from '../ipfs/embedded/dag-index.ts'
import { uploadPlaces as places } from '../registry/paths.ts'
import { Database } from '../storage/embedded/database.ts'
import { EmbeddedStore } from '../storage/embedded/store.ts'
import { FilesystemStore } from '../storage/filesystem/store.ts'
import { MemoryStore } from '../storage/memory/store.ts'
import type { ChunkHashes, ObjectStore } from '../storage/object-store.ts'
import type { S3Options } from '../storage/bucket/s3/options.ts'
import type { Logger } from '../telemetry/logger.ts'
import { bucketOf, openBucket } from './bucket.ts'
import { embeddedNetwork } from './network.ts'
import type { BuiltStorage } from './storage.ts'

/** Where Disco is a node itself, and tells from its index which slice of which object is which block. */
export interface OwnStorage extends BuiltStorage {
  readonly index: EmbeddedDagIndex
}

type Choice = Pick<Config, 'data' | 'storageFilesystem' | 'storageInmemory' | 'readonly'> & Partial<Pick<Config, 'storageS3' | 'storageR2' | 'redirectDisabled'>>

/** The database of the data directory. */
const DATABASE = 'disco.db'

/** @throws StorageFailedError */
export async function openWithOwnNode(config: Choice, log?: Logger): Promise<OwnStorage> {
  if (config.storageInmemory) return openMemory()
  const bucket = bucketOf(config)
  if (bucket !== undefined) return openInBucket(bucket, config, log)
  if (config.storageFilesystem !== undefined) return openFilesystem(config.storageFilesystem, config)
  const store = await EmbeddedStore.open(config.data)
  const { database } = store
  const index = await closingAfter(store, () => EmbeddedDagIndex.open(database, store))
  return { ...withIndexOf(store, index), database, apart: false, close: () => store.close() }
}

/** A plain directory; what is derived from it, and what peers are told, is in the data directory. */
async function openFilesystem(root: string, { data, readonly }: Choice): Promise<OwnStorage> {
  const store = await FilesystemStore.open(root, { places, readonly })
  return closingAfter(store, () => withIndex(store, data, () => store.close()))
}

/** A bucket, of any number of Discos; what is derived from it, and what peers are told, is each one's own. */
async function openInBucket(bucket: S3Options, { data, readonly, redirectDisabled }: Choice, log?: Logger): Promise<OwnStorage> {
  const store = await openBucket(bucket, { readonly, log })
  return closingAfter(store, async () => ({ ...(await withIndex(store, data, () => store.close())), links: redirectDisabled === true ? undefined : store }))
}

async function openMemory(): Promise<OwnStorage> {
  const directory = await mkdtemp(join(tmpdir(), 'disco-index-'))
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true })
  try {
    return await withIndex(new MemoryStore(), directory, remove)
  } catch (error) {
    await remove()
    throw error
  }
}

async function withIndex(store: ObjectStore & ChunkHashes, directory: string, closeStore: () => Promise<void>): Promise<OwnStorage> {
  const database = await Database.open(join(directory, DATABASE))
  const close = async (): Promise<void> => {
    await database.close()
    await closeStore()
  }
  const index = await closingAfter(database, () => EmbeddedDagIndex.open(database, store, { apart: true }))
  return { ...withIndexOf(store, index), database, apart: true, close }
}

function withIndexOf(store: ObjectStore & ChunkHashes, index: EmbeddedDagIndex): Omit<OwnStorage, 'database' | 'apart' | 'close'> {
  return {
    store, index, provides: index, queue: index.queue, indexed: () => index.blocks.objects, checks: [], background: [],
    network: (ground) => embeddedNetwork(ground, store, index),
  }
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
