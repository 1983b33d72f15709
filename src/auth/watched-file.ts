import { readFileSync, statSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import type { Notes } from './notes.ts'

export interface WatchedFileOptions<T> {
  readonly path: string
  /** What the file is for, as a message names it: `auth.htpasswd.path`. */
  readonly purpose: string
  /** @throws Error that says what is wrong with the text, and quotes nothing secret */
  readonly parse: (text: string) => T
  readonly notes: Notes
  /** How long the file is not looked at again, in milliseconds. @default 1 s */
  readonly interval?: number | undefined
}

/** A file that can't be used; the message names it and is meant for whoever started Disco. */
export class AuthFileError extends Error {
  override readonly name = 'AuthFileError'
}

const INTERVAL = 1_000

/** What a file says, read again when it has changed; one that is broken or gone changes nothing. */
export class WatchedFile<T> {
  readonly #options: WatchedFileOptions<T>
  #value: T
  #mark: string
  #looked = performance.now()
  #looking: Promise<void> | undefined
  #fault: string | undefined

  /** @throws AuthFileError when the file can't be read or understood */
  constructor(options: WatchedFileOptions<T>) {
    this.#options = options
    const { path, purpose, parse } = options
    try {
      this.#mark = markOf(statSync(path))
      this.#value = parse(readFileSync(path, 'utf8'))
    } catch (cause) {
      throw new AuthFileError(`cannot use ${purpose} ${path}: ${(cause as Error).message}`, { cause })
    }
  }

  async current(): Promise<T> {
    if (performance.now() - this.#looked >= (this.#options.interval ?? INTERVAL)) {
      await (this.#looking ??= this.#look().finally(() => (this.#looking = undefined)))
    }
    return this.#value
  }

  async #look(): Promise<void> {
    const { path, purpose, parse, notes } = this.#options
    try {
      const mark = markOf(await stat(path))
      if (mark !== this.#mark) {
        const value = parse(await readFile(path, 'utf8'))
        this.#value = value
        this.#mark = mark
        notes.info({ path }, `${purpose} was read again`)
      }
      this.#fault = undefined
    } catch (error) {
      const { message } = error as Error
      if (message !== this.#fault) notes.error({ path, reason: message }, `${purpose} has changed and can't be used: what it said before goes on`)
      this.#fault = message
    } finally {
      this.#looked = performance.now()
    }
  }
}

function markOf({ mtimeMs, size, ino }: { mtimeMs: number; size: number; ino: number }): string {
  return `${mtimeMs} ${size} ${ino}`
}
