import { readFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { openReader } from '../assembly/reader.ts'
import type { ObjectReader } from '../storage/object-store.ts'
import { JSON_SWITCH, type CommandLine } from './command-line.ts'

/**
 * Runs a command that only looks into a store; a Disco may be running on it or not. Nothing there is written.
 *
 * @throws ConfigError, StorageFailedError, or Error when there is nothing at the data directory
 */
export async function onStore({ options }: CommandLine, work: (store: ObjectReader) => Promise<void>): Promise<void> {
  const { config } = await loadConfig(readFlags(options.filter((option) => option !== JSON_SWITCH)), process.env)
  const store = await openReader(config)
  try {
    await work(store.reader)
  } finally {
    store.close()
  }
}
