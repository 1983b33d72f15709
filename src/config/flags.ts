import { suggestion } from './nearest.ts'
import { OPTIONS, optionNames } from './options.ts'
import { isRawList, type Raw } from './raw.ts'
import { noSettings, type Settings } from './settings.ts'

export interface Flags {
  readonly settings: Settings
  /** The file that `--config` names. */
  readonly config: string | undefined
}

const CONFIG = 'config'

/** Reads the command line of `disco serve`. What is wrong with it is among the settings' problems. */
export function readFlags(args: readonly string[]): Flags {
  const settings = noSettings()
  let config: string | undefined
  const rest = [...args]
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (!arg.startsWith('--')) {
      settings.problems.push({ where: arg, reason: 'is not an option: options begin with --' })
      continue
    }
    const [, flag = '', inline] = /^--([^=]*)(?:=(.*))?$/s.exec(arg) ?? []
    const next = !takesValue(arg) || rest[0]?.startsWith('--') === true ? undefined : rest[0]
    const value = inline ?? next
    if (inline === undefined && next !== undefined) rest.shift()

    if (flag !== CONFIG) addFlag(settings, flag, value)
    else if (value === undefined) settings.problems.push({ where: arg, reason: 'needs a value: --config <path>' })
    else config = value
  }
  return { settings, config }
}

/** Whether the next argument is the value of this one: not for a switch, and not where it is inline (`--port=1`). What is misspelt mostly has one. */
export function takesValue(arg: string): boolean {
  if (!arg.startsWith('--') || arg.includes('=')) return false
  return !optionNames().some((name) => arg === `--${OPTIONS[name].flag}` && OPTIONS[name].kind.placeholder === '')
}

function addFlag({ values, problems }: Settings, flag: string, value: string | undefined): void {
  const where = `--${flag}`
  const name = optionNames().find((candidate) => OPTIONS[candidate].flag === flag)
  if (name === undefined) {
    const known = [CONFIG, ...optionNames().flatMap((candidate) => OPTIONS[candidate].flag ?? [])]
    problems.push({ where, reason: `is not an option${suggestion(flag, known, '--')}` })
    return
  }
  const { kind } = OPTIONS[name]
  if (value === undefined && kind.placeholder !== '') {
    problems.push({ where, reason: `needs a value: ${where} ${kind.placeholder}` })
    return
  }
  const before = kind.many ? values.get(name)?.content : undefined
  const content: Raw[] = [...(isRawList(before) ? before : []), { where, content: value ?? '' }]
  values.set(name, { where, content: kind.many ? content : (value ?? '') })
}
