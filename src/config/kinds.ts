import { homedir } from 'node:os'
import { resolve } from 'node:path'

/** How the text of an option becomes its value. */
export interface Kind<T> {
  /** What stands for the value in the help: `<port>`; empty for a switch, which needs none. */
  readonly placeholder: string
  /** May be given several times. */
  readonly many: boolean
  /** @throws Error that says what would be right */
  read(texts: readonly string[]): T
  /** The same for a value that a program gives. @throws Error that says what would be right */
  accept(value: unknown): T
}

function one<T>(placeholder: string, read: (text: string) => T, accept: (value: unknown) => T = (value) => read(string(value))): Kind<T> {
  return { placeholder, many: false, read: (texts) => read(texts.at(-1) ?? ''), accept }
}

function string(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`is ${Array.isArray(value) ? 'a list' : typeof value}: a string is wanted`)
  return value
}

export const text: Kind<string> = one('<text>', (value) => {
  if (value === '') throw new Error('is empty')
  return value
})

/** A path; `~` is the home directory, and a relative one begins at the current directory. */
export const path: Kind<string> = one('<path>', expandPath)

export function expandPath(value: string): string {
  if (value === '') throw new Error('is empty: a path is wanted')
  return resolve(value.replace(/^~(?=$|[/\\])/, homedir()))
}

export function integer(placeholder: string, least: number, most: number): Kind<number> {
  const read = (value: string): number => {
    const number = Number(value)
    if (!/^\d+$/.test(value) || number < least || number > most) {
      throw new Error(`'${value}' is not a whole number from ${least} to ${most}`)
    }
    return number
  }
  return one(placeholder, read, (value) => {
    if (typeof value !== 'number') throw new Error(`is ${typeof value}: a whole number from ${least} to ${most} is wanted`)
    return read(String(value))
  })
}

/** Timers of JavaScript count milliseconds in 31 bits; what is longer would end at once. */
const LONGEST = 24 * 86_400_000
const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const

/** In milliseconds; written like `500ms`, `30s`, `5m`, `1h`, and a bare number is seconds. */
export const duration: Kind<number> = one('<duration>', (value) => {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(value) ?? []
  const milliseconds = Number(number) * UNITS[unit as keyof typeof UNITS]
  if (!(milliseconds > 0)) throw new Error(`'${value}' is not a duration like 30s, 500ms or 5m`)
  if (milliseconds > LONGEST) throw new Error(`'${value}' is too long: 24 days (576h) is the most`)
  return milliseconds
}, (value) => {
  if (typeof value !== 'number' || !(value > 0)) throw new Error(`is ${String(value)}: a number of milliseconds above 0 is wanted`)
  if (value > LONGEST) throw new Error(`${value} ms are too many: 24 days (${LONGEST}) is the most`)
  return value
})

export function choice<T extends string>(...choices: readonly T[]): Kind<T> {
  return one(`<${choices.join('|')}>`, (value) => {
    const found = choices.find((candidate) => candidate === value)
    if (found === undefined) throw new Error(`'${value}' is none of ${choices.join(', ')}`)
    return found
  })
}

/** On when it is merely named. */
export const toggle: Kind<boolean> = one('', (value) => {
  if (value === '' || value === 'true') return true
  if (value === 'false') return false
  throw new Error(`'${value}' is neither true nor false`)
}, (value) => {
  if (typeof value !== 'boolean') throw new Error(`is ${typeof value}: true or false is wanted`)
  return value
})

export function list(placeholder: string, check: (text: string) => void): Kind<readonly string[]> {
  const read = (texts: readonly string[]): readonly string[] => {
    const values = texts.filter((value) => value !== '')
    for (const value of values) check(value)
    return values
  }
  const accept = (value: unknown): readonly string[] => {
    if (!Array.isArray(value)) throw new Error(`is ${typeof value}: a list of strings is wanted`)
    return read(value.map(string))
  }
  return { placeholder, many: true, read, accept }
}
