import { accessSync, closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { FileLock } from './file-lock.ts'

/** The data directory can't be used; the message says why and is meant for whoever started Disco. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError'
}

/**
 * A data directory that belongs to one running Disco until it is released, or its process dies, of whatever.
 */
export class DataDirectory {
  readonly path: string
  readonly #lock: FileLock
  readonly #holder: string

  private constructor(path: string, lock: FileLock, holder: string) {
    this.path = path
    this.#lock = lock
    this.#holder = holder
  }

  /** @throws DataDirectoryError when it can't be written, or another Disco runs on it */
  static claim(path: string): DataDirectory {
    const holder = join(path, 'running.json')
    try {
      makeDirectory(path)
      if (!statSync(path).isDirectory()) throw new Error('it is not a directory')
      accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
    } catch (cause) {
      throw new DataDirectoryError(`cannot use the data directory ${path}: ${(cause as Error).message}`, { cause })
    }
    const lock = new FileLock(join(path, 'running.lock'))
    if (!lock.tryTake()) {
      lock.close()
      throw new DataDirectoryError(`another Disco runs on ${path}${describe(holder)}; stop it, or name another directory by --data`)
    }
    const directory = new DataDirectory(path, lock, holder)
    try {
      directory.announce('')
    } catch (cause) {
      directory.release()
      throw new DataDirectoryError(`cannot write to the data directory ${path}: ${(cause as Error).message}`, { cause })
    }
    return directory
  }

  /** Tells others who they would get in the way of. `address` is where this Disco answers. */
  announce(address: string): void {
    writeFileSync(this.#holder, `${JSON.stringify({ pid: process.pid, address })}\n`, { mode: 0o600 })
  }

  /** Before the lock goes: afterwards it might be another's note. */
  release(): void {
    try {
      rmSync(this.#holder, { force: true })
    } catch {
      // The note is a courtesy; the lock is what counts.
    } finally {
      this.#lock.close()
    }
  }
}

/** Step by step: `recursive` never ends where a system (like Linux in /proc) says of a directory that it is not there. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return
  makeDirectory(dirname(path))
  try {
    // Whoever may read what is in it may pull, whatever the registry says.
    mkdirSync(path, 0o700)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  syncDirectory(dirname(path))
}

/** A power loss must not take the directory with all that is in it. */
function syncDirectory(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function describe(holder: string): string {
  try {
    const { pid, address } = JSON.parse(readFileSync(holder, 'utf8')) as { pid: number; address: string }
    return ` (process ${pid}${address === '' ? '' : ` at ${address}`})`
  } catch {
    return ''
  }
}
