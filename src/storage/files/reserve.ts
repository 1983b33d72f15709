import { randomBytes } from 'node:crypto'
import { rm, stat, writeFile } from 'node:fs/promises'
import { isNoSpace } from './medium.ts'

const SIZE = 512 * 1024

/** Room kept on the medium, so that what gives room can still be written down when there is none left. */
export class Reserve {
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  /** Keeps the room, where it is to be had. */
  async hold(): Promise<void> {
    try {
      if ((await stat(this.#file).catch(() => undefined))?.size === SIZE) return
      // Random: a system that compresses would keep no room for anything else.
      await writeFile(this.#file, randomBytes(SIZE), { mode: 0o600 })
    } catch {
      await this.release()
    }
  }

  /** Does what gives room: where there is none left for it, in the room that is kept. Hold it again afterwards. */
  async lend(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!isNoSpace(error)) throw error
      await this.release()
      await work()
    }
  }

  async release(): Promise<void> {
    await rm(this.#file, { force: true }).catch(() => {})
  }
}
