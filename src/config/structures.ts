import { expandPath, string, textOf, type FieldDoc, type Kind } from './kinds.ts'
import { suggestion } from './nearest.ts'
import { ConfigError, problemsAt, problemsBelow, type ConfigProblem } from './problem.ts'
import { isRawList, isRawMap, type Raw } from './raw.ts'

/** One key of a structure; its name in YAML is the property's in small letters. */
export interface Field<T> {
  readonly kind: Kind<T>
  /** Absent where the key must be given; undefined where it may be left away. */
  readonly default?: T | undefined
  readonly defaultText?: string
  readonly doc: string
}

export type Shape<T> = { readonly [Name in keyof T]-?: Field<Exclude<T[Name], undefined>> }

/** Texts, each of which `check` has nothing against; one that stands alone is a list of one. */
export function list(placeholder: string, check: (text: string) => void = () => undefined): Kind<readonly string[]> {
  const read = (texts: readonly string[]): readonly string[] => {
    for (const value of texts) {
      // A variable that is not set in a script's `--listen "$LISTEN"` must not mean the default.
      if (value === '') throw new Error(`is empty, or has something empty in it: ${placeholder} is wanted`)
      check(value)
    }
    return texts
  }
  return {
    placeholder,
    many: true,
    read: (raw) => {
      if (isRawMap(raw.content)) throw new Error('takes values, not keys')
      return read(isRawList(raw.content) ? raw.content.map(textOf) : [raw.content ?? ''])
    },
    accept: (value) => {
      if (!Array.isArray(value)) throw new Error(`is ${typeof value}: a list of strings is wanted`)
      return read(value.map(string))
    },
    write: (value) => value,
  }
}

/** Paths, as `path` reads them. */
export const paths: Kind<readonly string[]> = {
  ...list('<path>'),
  read: (raw) => list('<path>').read(raw).map(expandPath),
  accept: (value) => list('<path>').accept(value).map(expandPath),
}

/** A list of what `kind` reads. */
export function listOf<T>(kind: Kind<T>): Kind<readonly T[]> {
  return {
    placeholder: `list of ${kind.placeholder}`,
    many: false,
    structure: kind.structure ?? [],
    read: ({ content }) => {
      if (!isRawList(content)) throw new Error(content === undefined ? 'is empty: a list is wanted, [] for one with nothing in it' : 'takes a list')
      return allOf(content.map((raw) => [() => kind.read(raw), (error: unknown) => problemsAt(raw.where, error)]))
    },
    accept: (value) => {
      if (!Array.isArray(value)) throw new Error(`is ${typeof value}: a list is wanted`)
      return allOf(value.map((item, index) => [() => kind.accept(item), (error: unknown) => problemsBelow(`[${index}]`, error)]))
    },
    write: (value) => value.map((item) => kind.write(item)),
  }
}

/** Keys of anybody's choice, with what `kind` reads below each. */
export function mapOf<T>(kind: Kind<T>, checkKey: (key: string) => void = () => undefined): Kind<Readonly<Record<string, T>>> {
  const of = (entries: readonly (readonly [key: string, read: () => T, problems: (error: unknown) => readonly ConfigProblem[]])[]): Record<string, T> =>
    Object.fromEntries(allOf<readonly [string, T]>(entries.map(([key, read, problems]) => [() => {
      checkKey(key)
      return [key, read()]
    }, problems])))
  return {
    placeholder: `map of ${kind.placeholder}`,
    many: false,
    structure: [],
    read: ({ content }) => {
      if (!isRawMap(content)) throw new Error('takes keys below it, not a value')
      return of([...content].map(([key, raw]) => [key, () => kind.read(raw), (error) => problemsAt(raw.where, error)]))
    },
    accept: (value) =>
      of(Object.entries(object(value)).map(([key, item]) => [key, () => kind.accept(item), (error) => problemsBelow(`.${key}`, error)])),
    write: (value) => Object.fromEntries(Object.entries(value).map(([key, item]) => [key, kind.write(item)])),
  }
}

/** Keys that are known, each with a kind and mostly a default of its own. */
export function fields<T extends object>(shape: Shape<T>): Kind<T> {
  const known = Object.entries<Field<unknown>>(shape as Readonly<Record<string, Field<unknown>>>)
  const yamlNames = known.map(([name]) => name.toLowerCase())
  /** @throws ConfigError with every key that is unknown, missing or wrong */
  const build = (given: readonly string[], names: readonly string[], read: (name: string, field: Field<unknown>) => unknown, place: Place): T => {
    const problems: ConfigProblem[] = given
      .filter((key) => !names.includes(key))
      .map((key) => ({ where: place(key), reason: `${key} is not a key of this${suggestion(key, names) || `; known are ${names.join(', ')}`}` }))
    const values = known.map(([name, field], index) => {
      const key = names[index] ?? ''
      if (!given.includes(key)) {
        if (!('default' in field)) problems.push({ where: place(undefined), reason: `${key} is missing` })
        return [name, field.default] as const
      }
      try {
        return [name, read(key, field)] as const
      } catch (error) {
        problems.push(...(place.isRelative === true ? problemsBelow(place(key), error) : problemsAt(place(key), error)))
        return [name, field.default] as const
      }
    })
    if (problems.length > 0) throw new ConfigError(problems)
    return Object.fromEntries(values.filter(([, value]) => value !== undefined)) as T
  }
  return {
    placeholder: 'keys',
    many: false,
    structure: fieldDocs(known),
    read: (raw) => {
      const { content } = raw
      if (!isRawMap(content)) throw new Error('takes keys below it, not a value')
      const said = [...content].filter(([, { content: below }]) => below !== undefined).map(([key]) => key)
      const at = (key: string | undefined): Raw => (key === undefined ? undefined : content.get(key)) ?? raw
      return build(said, yamlNames, (key, { kind }) => kind.read(at(key)), (key) => at(key).where)
    },
    accept: (value) => {
      const values = object(value)
      const said = Object.keys(values).filter((key) => values[key] !== undefined)
      const place: Place = Object.assign((key: string | undefined) => (key === undefined ? '' : `.${key}`), { isRelative: true as const })
      return build(said, known.map(([name]) => name), (key, { kind }) => kind.accept(values[key]), place)
    },
    write: (value) => {
      const values = object(value)
      return Object.fromEntries(known.flatMap(([name, { kind }]) => (values[name] === undefined ? [] : [[name.toLowerCase(), kind.write(values[name])]])))
    },
  }
}

/** Where a key stands; without one, where the structure does. */
interface Place {
  (key: string | undefined): string
  readonly isRelative?: true
}

function fieldDocs(known: readonly (readonly [string, Field<unknown>])[]): FieldDoc[] {
  return known.flatMap(([name, field]) => {
    const key = name.toLowerCase()
    const { kind, doc } = field
    if (kind.structure !== undefined && kind.placeholder === 'keys') return kind.structure.map((below) => ({ ...below, key: `${key}.${below.key}` }))
    return [{ key, kind: kindText(kind), default: defaultOf(field), doc }]
  })
}

function kindText({ placeholder, many }: Kind<unknown>): string {
  return `${many ? 'list of ' : ''}${placeholder === '' ? '<true|false>' : placeholder}`
}

function defaultOf(field: Field<unknown>): string | undefined {
  if (!('default' in field)) return undefined
  if (field.defaultText !== undefined) return field.defaultText
  return valueText(field.default, field.kind)
}

/** A default as the documentation writes it. */
export function valueText<T>(value: T | undefined, kind: Kind<T>): string {
  if (value === undefined || (typeof value === 'object' && Object.keys(value as object).length === 0)) return 'none'
  const written = kind.write(value)
  return typeof written === 'object' ? JSON.stringify(written) : `${written as string | number | boolean}`
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`is ${Array.isArray(value) ? 'a list' : typeof value}: an object is wanted`)
  return value as Readonly<Record<string, unknown>>
}

/** All results. @throws ConfigError with the problems of all that threw */
function allOf<T>(works: readonly (readonly [() => T, (error: unknown) => readonly ConfigProblem[]])[]): T[] {
  const problems: ConfigProblem[] = []
  const results = works.flatMap(([work, problemsOf]) => {
    try {
      return [work()]
    } catch (error) {
      problems.push(...problemsOf(error))
      return []
    }
  })
  if (problems.length > 0) throw new ConfigError(problems)
  return results
}
