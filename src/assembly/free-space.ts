import { statfs } from 'node:fs/promises'
import type { Config } from '../config/options.ts'

/** Bytes that are free where blobs go; undefined where they are in no directory. */
export function freeSpaceOf({ data, storageFilesystem, storageInmemory }: Config): (() => Promise<number>) | undefined {
  if (storageInmemory) return undefined
  return async () => {
    const { bavail, bsize } = await statfs(storageFilesystem ?? data)
    return bavail * bsize
  }
}
