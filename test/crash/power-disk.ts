import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { attempt, run } from '../e2e/harness/command.ts'

const SIZE = 768 << 20

/**
 * An ext4 file system in a file. Only what was synced reaches that file soon: the kernel writes nothing older back by
 * itself in the first 30 s (vm.dirty_expire_centisecs), and the journal is told to wait for ten minutes. So a copy of
 * the file is what a disk holds after the power has failed.
 */
export class PowerDisk {
  readonly mountPoint: string
  readonly #file: string

  constructor(directory: string, mountPoint: string) {
    this.mountPoint = mountPoint
    this.#file = join(directory, 'disk.img')
  }

  /** Makes and mounts an empty one. */
  async create(): Promise<void> {
    const file = await open(this.#file, 'w')
    await file.truncate(SIZE)
    await file.close()
    await run('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', this.#file])
    await this.mount()
  }

  async mount(): Promise<void> {
    // noauto_da_alloc: no rename is made durable by the kernel's kindness.
    await run('mount', ['-o', 'loop,commit=600,noauto_da_alloc', this.#file, this.mountPoint])
  }

  /**
   * The power fails: all that was not synced is lost. Call it when no process uses the mount any more, and at once,
   * before the kernel writes back what it still has in memory.
   */
  async cut(): Promise<void> {
    const survivor = `${this.#file}.survivor`
    await run('cp', ['--sparse=always', this.#file, survivor])
    await run('umount', [this.mountPoint])
    await rename(survivor, this.#file)
    await this.mount()
  }

  async remove(): Promise<void> {
    await attempt('umount', [this.mountPoint])
    await rm(this.#file, { force: true })
  }
}
