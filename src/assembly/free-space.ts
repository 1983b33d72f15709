import { statfs } from 'node:fs/promises'
import type { Config } from '../config/options.ts'

/** Bytes that are free where blobs go; undefined where they are in no directory of ours. */
export function freeSpaceOf({ data, kubo, storageFilesystem, storageInmemory, storageS3, storageR2 }: Config): (() => Promise<number>) | undefined {
  if (storageInmemory || kubo.length > 0 || storageS3 !== undefined || storageR2 !== undefined) return undefined
  return async () => {
    const { bavail, bsize } = await statfs(storageFilesystem ?? data)
    return bavail * bsize
  }
}
