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
}

function one<T>(placeholder: string, read: (text: string) => T): Kind<T> {
  return { placeholder, many: false, read: (texts) => read(texts.at(-1) ?? '') }
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
  return one(placeholder, (value) => {
    const number = Number(value)
    if (!/^\d+$/.test(value) || number < least || number > most) {
      throw new Error(`'${value}' is not a whole number from ${least} to ${most}`)
    }
    return number
  })
}

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const

/** In milliseconds; written like `500ms`, `30s`, `5m`, `1h`, and a bare number is seconds. */
export const duration: Kind<number> = one('<duration>', (value) => {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(value) ?? []
  const milliseconds = Number(number) * UNITS[unit as keyof typeof UNITS]
  if (!(milliseconds > 0)) throw new Error(`'${value}' is not a duration like 30s, 500ms or 5m`)
  return milliseconds
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
})

export function list(placeholder: string, check: (text: string) => void): Kind<readonly string[]> {
  return {
    placeholder,
    many: true,
    read(texts) {
      const values = texts.filter((value) => value !== '')
      for (const value of values) check(value)
      return values
    },
  }
}
