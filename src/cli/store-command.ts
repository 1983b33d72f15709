import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { readFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { EmbeddedStore } from '../storage/embedded/store.ts'

export interface StoreCommand {
  readonly positionals: readonly string[]
  readonly json: boolean
}

/**
 * Runs a command that only looks into a data directory; a Disco may be running on it or not.
 *
 * @throws ConfigError, or Error when there is nothing at the data directory
 */
export async function onStore(args: readonly string[], work: (store: EmbeddedStore, command: StoreCommand) => Promise<void>): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { data: { type: 'string' }, config: { type: 'string' }, json: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const flags = [...(values.data === undefined ? [] : ['--data', values.data]), ...(values.config === undefined ? [] : ['--config', values.config])]
  const { config } = await loadConfig(readFlags(flags), process.env)
  if (!existsSync(config.data)) throw new Error(`nothing is at ${config.data} yet: serve once, or name the data directory by --data`)
  const store = await EmbeddedStore.open(config.data)
  try {
    await work(store, { positionals, json: values.json })
  } finally {
    await store.close()
  }
}
