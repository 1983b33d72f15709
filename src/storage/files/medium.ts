import { open } from 'node:fs/promises'
import { StorageFailedError } from '../errors.ts'

/** A new or removed name is in its directory's own data: that has to be synced as well. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Does something with the medium. @throws StorageFailedError with what the system said as its cause */
export async function storing<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    if (cause instanceof StorageFailedError) throw cause
    throw new StorageFailedError(`storage failed at ${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** Whether the medium is full, and nothing of what was tried has happened. */
export function isNoSpace(error: unknown): boolean {
  const code = error instanceof StorageFailedError ? (error.cause as NodeJS.ErrnoException | undefined)?.code : undefined
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** For `catch`: that there is no such file is an answer. */
export function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw error
}
