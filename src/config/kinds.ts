import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { isRawList, isRawMap, type Raw } from './raw.ts'

/** How what a source says of an option becomes its value. */
export interface Kind<T> {
  /** What stands for the value in the help: `<port>`; empty for a switch, which needs none. */
  readonly placeholder: string
  /** May be given several times. */
  readonly many: boolean
  /** Has keys or lists of keys in it: written as YAML in the environment. */
  readonly structure?: readonly FieldDoc[]
  /** Is a value where its key merely stands there, with nothing or `{}` after it. */
  readonly presence?: true
  /** @throws Error that says what would be right, or ConfigError with the faults in its parts and their places */
  read(raw: Raw): T
  /** The same for a value that a program gives; places are relative to it: `[0].url`. */
  accept(value: unknown): T
  /** As the YAML file would say it. */
  write(value: T): unknown
}

/** One key of a structure, for the documentation. */
export interface FieldDoc {
  readonly key: string
  readonly kind: string
  /** Undefined where it must be given. */
  readonly default: string | undefined
  readonly doc: string
}

function one<T>(placeholder: string, read: (text: string) => T, accept: (value: unknown) => T = (value) => read(string(value))): Kind<T> {
  return { placeholder, many: false, read: (raw) => read(textOf(raw)), accept, write: (value) => value }
}

/** The text of a value that is one; the last of a flag that was given several times. */
export function textOf({ content }: Raw): string {
  if (isRawMap(content)) throw new Error('takes one value, not keys')
  if (!isRawList(content)) return content ?? ''
  const last = content.at(-1)
  if (last === undefined || content.some(({ where }) => where !== last.where)) throw new Error('takes one value, not this')
  return textOf(last)
}

export function string(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`is ${Array.isArray(value) ? 'a list' : typeof value}: a string is wanted`)
  return value
}

/** A text that `check` has nothing against. */
export function checked(placeholder: string, check: (text: string) => void): Kind<string> {
  return one(placeholder, (value) => {
    check(value)
    return value
  })
}

export const text: Kind<string> = checked('<text>', (value) => {
  if (value === '') throw new Error('is empty')
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

export function choice<T extends string>(...choices: readonly T[]): Kind<T> {
  return renamed({}, ...choices)
}

/** A choice, in capitals or not, in which some have a second name. */
export function renamed<T extends string>(names: Readonly<Record<string, T>>, ...choices: readonly T[]): Kind<T> {
  return one(`<${choices.join('|')}>`, (value) => {
    const lower = value.toLowerCase()
    const found = choices.find((candidate) => candidate === lower) ?? (Object.hasOwn(names, lower) ? names[lower] : undefined)
    if (found === undefined) throw new Error(`'${value}' is none of ${choices.join(', ')}`)
    return found
  })
}

/** On when it is merely named. */
export const toggle: Kind<boolean> = one('', (value) => {
  if (value === '' || value.toLowerCase() === 'true') return true
  if (value.toLowerCase() === 'false') return false
  throw new Error(`'${value}' is neither true nor false`)
}, acceptBoolean)

/** On when its key is there, whatever is below it. */
export const presence: Kind<boolean> = {
  placeholder: '',
  many: false,
  presence: true,
  read: ({ content }) => typeof content !== 'string' || toggle.read({ where: '', content }),
  accept: acceptBoolean,
  write: (value) => value,
}

function acceptBoolean(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new Error(`is ${typeof value}: true or false is wanted`)
  return value
}
