import { stat } from 'node:fs/promises'
import type { Config } from '../config/options.ts'
import { ConfigError } from '../config/problem.ts'
import { StoreReader } from '../storage/embedded/store-reader.ts'
import type { ObjectReader } from '../storage/object-store.ts'
import { openKuboReader } from './kubo.ts'
import { lastStorage } from './last-storage.ts'
import { cachePlace, openPlaceReader, plainPlace } from './place.ts'
import { driverOf } from './storage.ts'

/** What has become of an image at a remote pinning service. */
export interface ImagePin {
  readonly service: string
  /** `waiting`, `queued`, `pinning`, `pinned` or `failed`. */
  readonly state: string
  readonly reason?: string | undefined
}

export interface OpenReader {
  readonly reader: ObjectReader
  /** Of an image, by its CID. @default where nothing is pinned */
  readonly pins?: (image: string) => readonly ImagePin[]
  readonly close: () => void | Promise<void>
}

/** What `disco images` and `disco cid` look into. @throws ConfigError, StorageFailedError, or Error where nothing is yet, or elsewhere */
export async function openReader(given: Config): Promise<OpenReader> {
  const config = driverOf(given) === 'embedded' ? { ...given, ...lastStorage(given.data) } : given
  const place = config.replicas ? cachePlace(config) : plainPlace(config)
  if (place?.driver === 'inmemory') throw new ConfigError([{ where: 'storage.inmemory', reason: 'images in memory are gone with their process: there is nothing to look into' }])
  if (config.kubo.length > 0 && place === undefined) return openKuboReader(config)
  if (place !== undefined && place.driver !== 'filesystem') return openPlaceReader(place)
  const directory = place?.root ?? config.data
  const opened = (await isThere(directory)) ? await (place === undefined ? openEmbeddedReader(config) : openPlaceReader(place)) : undefined
  if (opened === undefined) throw new Error(`nothing is at ${directory} yet: serve once, or name the data directory by --data`)
  return opened
}

function openEmbeddedReader({ data }: Config): OpenReader | undefined {
  const reader = StoreReader.open(data)
  return reader && { reader, close: () => reader.close() }
}

async function isThere(place: string): Promise<boolean> {
  try {
    await stat(place)
    return true
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw new Error(`cannot look into ${place}: ${message}`, { cause: error })
  }
}
