import { readFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { configAsJson, configAsYaml } from '../config/print.ts'
import { CONFIG_CHECKS } from '../disco.ts'
import { JSON_SWITCH, type CommandLine } from './command-line.ts'

/** `disco config`: what is in force and where each value comes from; starts nothing. @throws ConfigError with all that is wrong */
export async function config({ options, operands }: CommandLine): Promise<void> {
  const flags = readFlags([...options.filter((option) => option !== JSON_SWITCH), ...operands])
  const loaded = await loadConfig(flags, process.env, CONFIG_CHECKS)
  for (const warning of loaded.warnings) console.warn(`disco: ${warning}`)
  process.stdout.write(options.includes(JSON_SWITCH) ? `${configAsJson(loaded)}\n` : configAsYaml(loaded))
}
