import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, unlink, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FileStreams } from '../files/file-streams.ts'
import { absent, storing, syncDirectory } from '../files/medium.ts'

/** The files that hold large objects and uploads. A file has one name for life; what it is, only the database says. */
export class BlobFiles {
  readonly streams: FileStreams = new FileStreams()
  readonly #directory: string
  /** Directories whose own names are known to be durable: 256 at most. */
  readonly #durable = new Set<string>()

  constructor(directory: string) {
    this.#directory = directory
  }

  /** A name that no file has had before. */
  name(): string {
    return randomBytes(16).toString('hex')
  }

  path(file: string): string {
    return join(this.#directory, file.slice(0, 2), file)
  }

  /** Opens a file to go on writing it, and makes it where there is none. */
  async create(file: string): Promise<FileHandle> {
    const path = this.path(file)
    return storing(path, async () => {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      return open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    })
  }

  /** Makes the name of a file as durable as its bytes. */
  async syncName(file: string): Promise<void> {
    const directory = dirname(this.path(file))
    await storing(directory, async () => {
      await syncDirectory(directory)
      if (this.#durable.has(directory)) return
      // Another process may have made it just now, and not have got to this yet.
      await syncDirectory(this.#directory)
      this.#durable.add(directory)
    })
  }

  /** A file opened to be read, or undefined when there is none. */
  async open(file: string): Promise<FileHandle | undefined> {
    const path = this.path(file)
    return storing(path, () => open(path, 'r').catch(absent))
  }

  /** Removes files that nothing points to, durably, so that they can be forgotten. */
  async unlink(files: readonly string[]): Promise<void> {
    for (const file of files) await storing(file, () => unlink(this.path(file)).catch(absent))
    for (const directory of new Set(files.map((file) => dirname(this.path(file))))) {
      await storing(directory, () => syncDirectory(directory).catch(absent))
    }
  }
}
