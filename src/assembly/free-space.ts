import { statfs } from 'node:fs/promises'
import type { Config } from '../config/options.ts'
import { plainPlace } from './place.ts'

/** Bytes that are free where blobs go; undefined where they are in no directory of ours. */
export function freeSpaceOf(config: Config): (() => Promise<number>) | undefined {
  const place = plainPlace(config)
  if (place === undefined ? config.kubo.length > 0 : place.driver !== 'filesystem') return undefined
  const directory = place?.driver === 'filesystem' ? place.root : config.data
  return async () => {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize
  }
}
