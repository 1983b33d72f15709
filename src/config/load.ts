import { readFile } from 'node:fs/promises'
import { FILE_VARIABLE, readEnvironment } from './environment.ts'
import { readFileText } from './file.ts'
import type { Flags } from './flags.ts'
import { expandPath } from './kinds.ts'
import { suggestion } from './nearest.ts'
import { OPTIONS, optionNames, type Config, type Option, type OptionName } from './options.ts'
import { ConfigError, type ConfigProblem } from './problem.ts'
import { noSettings, type Settings } from './settings.ts'

/** Read when neither `--config` nor `REGISTRY_CONFIGURATION_PATH` names one. */
export const DEFAULT_FILE = '~/.disco/config.yaml'

export interface LoadedConfig {
  readonly config: Config
  /** What was understood and is left out. */
  readonly warnings: readonly string[]
}

/** What rooms that know more than the shape of a value have against it. Each throws an Error that says what would be right. */
export type Checks = { readonly [Name in OptionName]?: (value: Config[Name]) => void }

/**
 * The configuration: flags before environment before file before defaults.
 *
 * @throws ConfigError with everything that is wrong in all of them
 */
export async function loadConfig(flags: Flags, env: Readonly<Record<string, string | undefined>>, checks: Checks = {}): Promise<LoadedConfig> {
  const sources = [flags.settings, readEnvironment(env), await readConfigFile(flags.config, env)]
  const problems = sources.flatMap((source) => source.problems)
  const config = Object.fromEntries(optionNames().map((name) => [name, valueOf(name, sources, checks, problems)])) as unknown as Config
  if (isKeyInPublic(config)) problems.push({ where: '--swarm-key', reason: 'is for a private network: add --network private' })
  if (problems.length > 0) throw new ConfigError(problems)
  return { config, warnings: sources.flatMap((source) => source.warnings) }
}

/**
 * The defaults with `given` over them: what a program that brings its own values starts from.
 *
 * @throws ConfigError with everything that is wrong in it
 */
export function completeConfig(given: Partial<Config>, checks: Checks = {}): Config {
  const names = optionNames()
  const problems: ConfigProblem[] = Object.keys(given)
    .filter((key) => !names.some((name) => name === key))
    .map((key) => ({ where: key, reason: `is not an option${suggestion(key, names)}` }))
  const config = Object.fromEntries(names.map((name) => {
    const option: Option<Config[OptionName]> = OPTIONS[name]
    if (given[name] === undefined) return [name, option.default]
    try {
      const value = option.kind.accept(given[name])
      checkFor(name, checks)?.(value)
      return [name, value]
    } catch (error) {
      problems.push({ where: name, reason: (error as Error).message })
      return [name, option.default]
    }
  })) as unknown as Config
  if (isKeyInPublic(config)) problems.push({ where: 'swarmKey', reason: "is for a private network: add network: 'private'" })
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

function isKeyInPublic({ swarmKey, network }: Config): boolean {
  return swarmKey !== undefined && network === 'public'
}

function checkFor(name: OptionName, checks: Checks): ((value: Config[OptionName]) => void) | undefined {
  return checks[name] as ((value: Config[OptionName]) => void) | undefined
}

function valueOf(name: OptionName, sources: readonly Settings[], checks: Checks, problems: ConfigProblem[]): Config[OptionName] {
  const option: Option<Config[OptionName]> = OPTIONS[name]
  // every source is read, also those that another one overrides, so that every fault is told at once
  const values = sources.flatMap(({ values: settings }) => {
    const setting = settings.get(name)
    if (setting === undefined) return []
    try {
      const value = option.kind.read(setting.texts)
      checkFor(name, checks)?.(value)
      return [{ value }]
    } catch (error) {
      problems.push({ where: setting.where, reason: (error as Error).message })
      return []
    }
  })
  return values.length > 0 ? values[0]?.value : option.default
}

async function readConfigFile(flag: string | undefined, env: Readonly<Record<string, string | undefined>>): Promise<Settings> {
  const named = flag ?? env[FILE_VARIABLE]
  const file = expandPath(named === undefined || named === '' ? DEFAULT_FILE : named)
  let content: string
  try {
    content = await readFile(file, 'utf8')
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT' && file === expandPath(DEFAULT_FILE)
    const settings = noSettings()
    if (!absent) settings.problems.push({ where: file, reason: `cannot be read: ${(error as Error).message}` })
    return settings
  }
  return readFileText(content, file)
}
