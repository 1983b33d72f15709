import { readFile } from 'node:fs/promises'
import { FILE_VARIABLE, readEnvironment, type Environment } from './environment.ts'
import { readFileText } from './file.ts'
import type { Flags } from './flags.ts'
import { HIDDEN, hiddenIn } from './hidden.ts'
import { expandPath } from './kinds.ts'
import { suggestion } from './nearest.ts'
import { OPTIONS, optionNames, type Config, type OptionName } from './options.ts'
import type { Option } from './options/option.ts'
import { ConfigError, problemsAt, problemsBelow, type ConfigProblem } from './problem.ts'
import { contradictions, pointless } from './rules.ts'
import { noSettings, type Settings } from './settings.ts'
import { Sources } from './sources.ts'

/** Read when neither `--config` nor `REGISTRY_CONFIGURATION_PATH` names one. */
export const DEFAULT_FILE = '~/.disco/config.yaml'

export interface LoadedConfig {
  readonly config: Config
  /** What was understood and is left out. */
  readonly warnings: readonly string[]
  /** Where the value of an option comes from: `--port`, `DISCO_PORT`, `config.yaml:3:5`; undefined for a default. */
  readonly origin: (name: OptionName) => string | undefined
}

/** What rooms that know more than the shape have against a configuration. Each throws an Error that says what would be right. */
export interface Checks {
  readonly values?: ValueChecks
  readonly files?: FileChecks
}

export type ValueChecks = { readonly [Name in OptionName]?: (value: Config[Name]) => void }

/** Of each file that an option in force names; what is overridden need not be there. */
export type FileChecks = { readonly [Name in OptionName]?: (path: string, config: Config) => void }

/**
 * The configuration: flags before environment before file before defaults.
 *
 * @throws ConfigError with everything that is wrong in all of them
 */
export async function loadConfig(flags: Flags, env: Environment, checks: Checks = {}): Promise<LoadedConfig> {
  const file = await readConfigFile(flags.config, env)
  const sources = new Sources([flags.settings, readEnvironment(env), file])
  const problems = [...sources.problems]
  const config = Object.fromEntries(optionNames().map((name) => [name, valueOf(name, sources, checks, problems)])) as unknown as Config
  problems.push(...contradictions(config, sources), ...fileProblems(config, checks, (name) => sources.option(name)))
  if (problems.length > 0) throw new ConfigError(inOrder(problems).map((problem) => sources.named(problem)), sources.warnings)
  return { config, warnings: [...sources.warnings, ...pointless(config, sources)], origin: (name) => sources.option(name) }
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
      problems.push(...problemsBelow(name, error))
      return [name, option.default]
    }
  })) as unknown as Config
  // Who hands on a whole configuration gives the defaults too, and has not chosen them.
  const isGiven = (name: OptionName): string | undefined => (given[name] === undefined || given[name] === OPTIONS[name].default ? undefined : name)
  problems.push(...contradictions(config, { option: isGiven, group: () => undefined }), ...fileProblems(config, checks))
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

/** What stands in a file from its top to its bottom, after the rest. */
function inOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const lineOf = ({ where }: ConfigProblem): readonly [line: number, column: number] => {
    const [, line = '0', column = '0'] = /:(\d+):(\d+)$/.exec(where) ?? []
    return [Number(line), Number(column)]
  }
  return problems.toSorted((a, b) => {
    const [first, second] = [lineOf(a), lineOf(b)]
    return first[0] - second[0] || first[1] - second[1]
  })
}

function fileProblems(config: Config, { files = {} }: Checks, origin: (name: OptionName) => string | undefined = () => undefined): ConfigProblem[] {
  return optionNames().flatMap((name) => {
    const check = files[name]
    const paths = [config[name]].flat().filter((value) => typeof value === 'string')
    if (check === undefined) return []
    return paths.flatMap((path) => {
      try {
        check(path, config)
        return []
      } catch (error) {
        return [{ where: origin(name) ?? name, reason: `cannot use ${path}: ${withoutPath((error as Error).message)}` }]
      }
    })
  })
}

/** `ENOENT: no such file or directory, open '/x'` */
function withoutPath(message: string): string {
  return message.replace(/^E[A-Z]+: (.*), \w+(?: '.*')?$/s, '$1')
}

function checkFor(name: OptionName, checks: Checks): ((value: Config[OptionName]) => void) | undefined {
  return checks.values?.[name] as ((value: Config[OptionName]) => void) | undefined
}

function valueOf(name: OptionName, sources: Sources, checks: Checks, problems: ConfigProblem[]): Config[OptionName] {
  const option: Option<Config[OptionName]> = OPTIONS[name]
  // every source is read, also those that another one overrides, so that every fault is told at once
  const settings = sources.settingsOf(name, problems)
  const [inForce] = settings
  for (const where of inForce === undefined ? [] : hiddenIn(inForce, option.secret === true)) {
    problems.push({ where, reason: `has ${HIDDEN} for a secret, as disco config prints it: write the secret itself` })
  }
  const values = settings.flatMap((raw) => {
    try {
      const value = option.kind.read(raw)
      checkFor(name, checks)?.(value)
      return [{ value }]
    } catch (error) {
      problems.push(...problemsAt(raw.where, error))
      return []
    }
  })
  return values.length > 0 ? values[0]?.value : option.default
}

async function readConfigFile(flag: string | undefined, env: Environment): Promise<Settings> {
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
