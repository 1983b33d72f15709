import { parseArgs } from 'node:util'
import { suggestion } from './nearest.ts'
import { OPTIONS, optionNames } from './options.ts'
import { noSettings, type Settings } from './settings.ts'

/** Flags that belong to no option of the table: they say where the table's values are, or ask for help. */
const OTHERS = { config: { type: 'string' }, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'v' } } as const

export interface Flags {
  readonly settings: Settings
  /** The file that `--config` names. */
  readonly config: string | undefined
  readonly help: boolean
  readonly version: boolean
}

/** Reads the command line of `disco serve`. What is wrong with it is among the settings' problems. */
export function readFlags(args: readonly string[]): Flags {
  const settings = noSettings()
  const { tokens } = parseArgs({ args: [...args], options: parserOptions(), strict: false, tokens: true, allowPositionals: true })
  let config: string | undefined
  let help = false
  let version = false
  for (const token of tokens) {
    if (token.kind === 'positional') settings.problems.push({ where: token.value, reason: 'is not an option: options begin with --' })
    if (token.kind !== 'option') continue
    if (token.name === 'help') help = true
    else if (token.name === 'version') version = true
    else if (token.name === 'config') config = token.value
    else addFlag(settings, token.name, token.rawName, token.value)
  }
  return { settings, config, help, version }
}

function addFlag({ values, problems }: Settings, flag: string, where: string, value: string | undefined): void {
  const name = optionNames().find((candidate) => OPTIONS[candidate].flag === flag)
  if (name === undefined) {
    const known = [...optionNames().map((candidate) => OPTIONS[candidate].flag), ...Object.keys(OTHERS)]
    problems.push({ where, reason: `is not an option${suggestion(flag, known).replace('is ', 'is --')}` })
    return
  }
  const { kind } = OPTIONS[name]
  if (value === undefined && kind.placeholder !== '') {
    problems.push({ where, reason: `needs a value: ${where} ${kind.placeholder}` })
    return
  }
  const before = kind.many ? (values.get(name)?.texts ?? []) : []
  values.set(name, { texts: [...before, value ?? ''], where })
}

function parserOptions(): Record<string, { type: 'string' | 'boolean'; multiple?: boolean; short?: string }> {
  const table = optionNames().map((name) => {
    const { flag, kind } = OPTIONS[name]
    return [flag, { type: kind.placeholder === '' ? ('boolean' as const) : ('string' as const), multiple: true }] as const
  })
  return { ...Object.fromEntries(table), ...OTHERS }
}
