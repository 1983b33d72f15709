import { writeFile, type FileHandle } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { Disk } from '../../src/storage/filesystem/disk.ts'

/**
 * A disk of which the power goes before its n-th step, when that has been done by half, and which keeps account of what
 * would not survive.
 */
export class DyingDisk extends Disk {
  steps = 0
  readonly #lastStep: number
  /** Directories with names, and files with bytes, that are not durable. */
  readonly #volatile = new Set<string>()

  constructor(lastStep: number = Infinity) {
    super()
    this.#lastStep = lastStep
  }

  get dead(): boolean {
    return this.steps >= this.#lastStep
  }

  /** What a power loss would take now, but for what nobody was promised: temporary files, and what can be had again. */
  volatile(): string[] {
    return [...this.#volatile].filter((path) => !path.includes('/.disco/tmp') && existsSync(path))
  }

  override async makeDirectory(path: string): Promise<void> {
    await this.#step()
    await super.makeDirectory(path)
    this.#volatile.add(dirname(path))
  }

  override async open(path: string, flags: 'r+' | 'wx+'): Promise<FileHandle> {
    if (flags === 'wx+') {
      await this.#step()
      this.#volatile.add(dirname(path))
    }
    return new Proxy(await super.open(path, flags), {
      get: (handle, name) => {
        const value: unknown = Reflect.get(handle, name, handle)
        if (typeof value !== 'function') return value
        return async (...args: unknown[]): Promise<unknown> => {
          await this.#handleStep(handle, path, name, args)
          return Reflect.apply(value, handle, args) as unknown
        }
      },
    })
  }

  override async writeNew(path: string, data: Uint8Array, options: { readonly durable: boolean }): Promise<void> {
    await this.#step(() => writeFile(path, data.subarray(0, data.byteLength / 2)))
    await super.writeNew(path, data, options)
    this.#volatile.add(dirname(path))
    if (!options.durable && basename(path) !== 'startedat') this.#volatile.add(path)
  }

  override async rename(from: string, to: string): Promise<void> {
    await this.#step()
    await super.rename(from, to)
    const noted = [...this.#volatile].every((directory) => !directory.endsWith('/.disco'))
    if (!noted && !basename(to).startsWith('.')) throw new Error(`${to} was changed before it was durable that it would be`)
    const derived = basename(to).startsWith('.disco-chunks.')
    if (this.#volatile.delete(from) && !derived) throw new Error(`${to} was seen before its bytes were durable`)
    if (!derived) this.#volatile.add(dirname(to))
  }

  override async unlink(path: string): Promise<void> {
    await this.#step()
    await super.unlink(path)
    // Where it comes back, it has done again what is done.
    if (basename(path) !== 'commit.json') this.#volatile.add(dirname(path))
  }

  override async removeDirectory(path: string): Promise<void> {
    await this.#step()
    await super.removeDirectory(path)
    this.#volatile.add(dirname(path))
  }

  override async removeAll(path: string): Promise<void> {
    await this.#step()
    await super.removeAll(path)
  }

  override async sync(directory: string): Promise<void> {
    await this.#step()
    await super.sync(directory)
    this.#volatile.delete(directory)
  }

  async #handleStep(handle: FileHandle, path: string, name: string | symbol, args: readonly unknown[]): Promise<void> {
    if (name === 'write') {
      const [bytes, offset, length, position] = args as [Uint8Array, number, number, number]
      await this.#step(async () => {
        await handle.write(bytes, offset, Math.floor(length / 2), position)
      })
      this.#volatile.add(path)
    } else if (name === 'datasync') {
      await this.#step()
      this.#volatile.delete(path)
    } else if (name === 'truncate') {
      await this.#step()
    }
  }

  async #step(half?: () => Promise<unknown>): Promise<void> {
    if (this.dead) throw Object.assign(new Error('there is no power'), { code: 'EIO' })
    this.steps++
    if (!this.dead) return
    await half?.()
    throw Object.assign(new Error('the power is gone'), { code: 'EIO' })
  }
}
