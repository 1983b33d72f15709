import { stat } from 'node:fs/promises'
import { readFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { openReader } from '../assembly/storage.ts'
import type { ObjectReader } from '../storage/object-store.ts'
import { JSON_SWITCH, type CommandLine } from './command-line.ts'

/**
 * Runs a command that only looks into a store; a Disco may be running on it or not. Nothing there is written.
 *
 * @throws ConfigError, or Error when there is nothing at the data directory
 */
export async function onStore({ options }: CommandLine, work: (store: ObjectReader) => Promise<void>): Promise<void> {
  const { config } = await loadConfig(readFlags(options.filter((option) => option !== JSON_SWITCH)), process.env)
  const place = config.storageFilesystem ?? config.data
  const directory = await stat(place).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw new Error(`cannot look into ${place}: ${error.message}`, { cause: error })
  })
  const store = directory === undefined ? undefined : openReader(config)
  if (store === undefined) throw new Error(`nothing is at ${place} yet: serve once, or name the data directory by --data`)
  try {
    await work(store.reader)
  } finally {
    store.close()
  }
}
