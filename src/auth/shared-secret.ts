import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AuthFileError } from './watched-file.ts'

const LENGTH = 32

/**
 * A secret that all processes on a data directory have, and have again after a restart. Made by the first that asks:
 * written aside and linked, so that nobody reads half of it and two of them agree.
 *
 * @throws AuthFileError when it can't be read or written
 */
export function sharedSecret(directory: string): Uint8Array {
  const path = join(directory, 'token.key')
  try {
    const secret = read(path) ?? make(path)
    if (secret.length !== LENGTH) throw new Error(`it has ${secret.length} bytes, not ${LENGTH}; delete it, and a new one is made`)
    return secret
  } catch (cause) {
    throw new AuthFileError(`cannot use ${path}: ${(cause as Error).message}`, { cause })
  }
}

function read(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function make(path: string): Uint8Array {
  const aside = `${path}.${randomBytes(8).toString('hex')}`
  writeFileSync(aside, randomBytes(LENGTH), { mode: 0o600, flag: 'wx', flush: true })
  try {
    linkSync(aside, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(aside, { force: true })
  }
  return readFileSync(path)
}
