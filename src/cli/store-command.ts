import { readFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { openReader, type OpenReader } from '../assembly/reader.ts'
import { JSON_SWITCH, type CommandLine } from './command-line.ts'

/**
 * Runs a command that only looks into a store; a Disco may be running on it or not. Nothing there is written.
 *
 * @throws ConfigError, StorageFailedError, or Error when there is nothing at the data directory
 */
export async function onStore({ options }: CommandLine, work: (store: OpenReader['reader'], opened: OpenReader) => Promise<void>): Promise<void> {
  const { config } = await loadConfig(readFlags(options.filter((option) => option !== JSON_SWITCH)), process.env)
  const store = await openReader(config)
  try {
    await work(store.reader, store)
  } finally {
    await store.close()
  }
}
