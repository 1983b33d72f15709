import { stat } from 'node:fs/promises'
import { readFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { StoreReader } from '../storage/embedded/store-reader.ts'
import { JSON_SWITCH, type CommandLine } from './command-line.ts'

/**
 * Runs a command that only looks into a data directory; a Disco may be running on it or not. Nothing there is written.
 *
 * @throws ConfigError, or Error when there is nothing at the data directory
 */
export async function onStore({ options }: CommandLine, work: (store: StoreReader) => Promise<void>): Promise<void> {
  const { config } = await loadConfig(readFlags(options.filter((option) => option !== JSON_SWITCH)), process.env)
  const directory = await stat(config.data).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw new Error(`cannot look into ${config.data}: ${error.message}`, { cause: error })
  })
  const store = directory === undefined ? undefined : StoreReader.open(config.data)
  if (store === undefined) throw new Error(`nothing is at ${config.data} yet: serve once, or name the data directory by --data`)
  try {
    await work(store)
  } finally {
    store.close()
  }
}
