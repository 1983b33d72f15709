import { constants } from 'node:fs'
import { mkdir, open, rename, rm, rmdir, stat, unlink, type FileHandle } from 'node:fs/promises'
import { StorageFailedError } from '../errors.ts'
import { syncDirectory } from '../files/medium.ts'
import { inParallel } from '../parallel.ts'

/**
 * Everything that a filesystem store does to its medium, one step a method: where a test cuts it off. Modes are the
 * umask's business: Distribution may serve the same directory, as another user.
 */
export class Disk {
  async makeDirectory(path: string): Promise<void> {
    await mkdir(path)
  }

  /** Opens a file to be written. */
  open(path: string, flags: 'r+' | 'wx+'): Promise<FileHandle> {
    return open(path, flags)
  }

  /** @param durable whether its bytes have to survive a power loss; its name is the directory's */
  async writeNew(path: string, data: Uint8Array, { durable }: { readonly durable: boolean }): Promise<void> {
    const handle = await open(path, 'wx')
    try {
      await handle.writeFile(data)
      if (durable) await handle.sync()
    } finally {
      await handle.close()
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await rename(from, to)
  }

  async unlink(path: string): Promise<void> {
    await unlink(path)
  }

  /** Removes an empty directory. */
  async removeDirectory(path: string): Promise<void> {
    await rmdir(path)
  }

  /** Removes what is no part of the tree any more. */
  async removeAll(path: string): Promise<void> {
    await rm(path, { recursive: true, force: true })
  }

  /** Makes the names in a directory durable. */
  async sync(directory: string): Promise<void> {
    await syncDirectory(directory)
  }
}

/** Files or directories that one commit is at work on at a time. */
const AT_ONCE = 8

/** Codes with which the system proves that there is no such file. */
const ABSENT: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'])

/** For `catch`: a proven absence is an answer. */
export function unlessThere(error: NodeJS.ErrnoException): undefined {
  if (ABSENT.has(error.code)) return undefined
  throw error
}

/** For `catch`: goes on after these errors of the system. */
export function tolerating(...codes: readonly string[]): (error: NodeJS.ErrnoException) => void {
  return (error) => {
    if (error.code === undefined || !codes.includes(error.code)) throw error
  }
}

/** What is no file and can't be opened without waiting: a socket, a device that nothing is behind. */
const NO_FILE: ReadonlySet<string | undefined> = new Set(['ENXIO', 'ENODEV', 'EOPNOTSUPP'])

/** Opens a file to be read; undefined where there is none. What else is there never keeps a thread waiting, as a pipe would. */
export async function openFile(path: string): Promise<FileHandle | undefined> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(async (error: NodeJS.ErrnoException) => {
    if (!NO_FILE.has(error.code)) return unlessThere(error)
    // A medium that fails says so of files as well.
    if ((await stat(path).catch(unlessThere))?.isFile() === true) throw error
    return undefined
  })
  let isFile = false
  try {
    isFile = (await handle?.stat())?.isFile() ?? false
  } finally {
    if (!isFile) await handle?.close()
  }
  return isFile ? handle : undefined
}

/** The bytes of a file; undefined where there is none. */
export async function readFile(path: string): Promise<Buffer | undefined> {
  const handle = await openFile(path)
  try {
    return await handle?.readFile()
  } finally {
    await handle?.close()
  }
}

/** Does work with each, a few at a time. Throws what the first that fails throws, once nothing is under way any more. */
export async function withEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  await inParallel(items, AT_ONCE, work)
}

/** Does something with the medium. @throws StorageFailedError for what the system said, all other errors as they are */
export async function onDisk<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (cause instanceof Error && typeof code === 'string') throw new StorageFailedError(`storage failed at ${what}: ${cause.message}`, { cause })
    throw cause
  }
}
