import { takesValue } from '../config/flags.ts'

/** The one option that is not of the configuration: a switch. */
export const JSON_SWITCH = '--json'

export interface CommandLine {
  readonly command: string
  /** What stands beside the command and is no option. */
  readonly operands: readonly string[]
  /** Options with their values, wherever they stood. */
  readonly options: readonly string[]
}

/** Takes the command line apart: options may stand before the command or after it; without a command it is `serve`. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const words: string[] = []
  const options: string[] = []
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? ''
    const next = args[index + 1]
    if (!arg.startsWith('-')) words.push(arg)
    else options.push(arg)
    if (arg !== JSON_SWITCH && takesValue(arg) && next !== undefined && !next.startsWith('--')) {
      options.push(next)
      index++
    }
  }
  const [command = 'serve', ...operands] = words
  return { command, operands, options }
}
