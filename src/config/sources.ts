import { OPTIONS, type OptionName } from './options.ts'
import { problemsAt, type ConfigProblem } from './problem.ts'
import { withPart, type Raw } from './raw.ts'
import type { Origins } from './origins.ts'
import type { Part, Settings } from './settings.ts'

/** Where Distribution keeps its tree when `filesystem` names no directory. */
const DISTRIBUTIONS_ROOT = '/var/lib/registry'
const FILESYSTEMS: Partial<Record<OptionName, string>> = { storageFilesystem: 'storage.filesystem', cacheFilesystem: 'storage.ipfs.cache.filesystem' }

/** What all sources say, those of more weight first. */
export class Sources implements Origins {
  readonly #sources: readonly Settings[]

  constructor(sources: readonly Settings[]) {
    this.#sources = sources
  }

  get problems(): readonly ConfigProblem[] {
    return this.#sources.flatMap(({ problems }) => problems)
  }

  get warnings(): readonly string[] {
    return this.#sources.flatMap(({ warnings }) => warnings)
  }

  /** With the key that stands at its place: an environment variable or a flag says it by itself. */
  named({ where, reason }: ConfigProblem): ConfigProblem {
    const key = this.#sources.map(({ keys }) => keys.get(where)).find((found) => found !== undefined)
    if (key === undefined || (reason.startsWith(key) && !/^\w/.test(reason.slice(key.length)))) return { where, reason }
    const last = key.slice(key.lastIndexOf('.') + 1)
    return { where, reason: reason.startsWith(`${last} `) ? `${key}${reason.slice(last.length)}` : `${key}: ${reason}` }
  }

  option(name: OptionName): string | undefined {
    return this.settingsOf(name, [])[0]?.where
  }

  group(key: string): string | undefined {
    return this.#relevantTo(key).map(({ groups }) => groups.get(key)).find((where) => where !== undefined)
  }

  /** What the sources say of an option, the one in force first. */
  settingsOf(name: OptionName, problems: ConfigProblem[]): readonly Raw[] {
    const said: Raw[] = []
    const sources = this.#relevantTo(OPTIONS[name].yaml)
    // those of less weight first, so that parts find what they replace
    for (const { values, parts } of sources.toReversed()) {
      const value = values.get(name)
      if (value !== undefined) said.unshift(value)
      const changes = parts.get(name) ?? []
      if (changes.length === 0) continue
      const changed = withParts(said.shift(), changes, problems)
      if (changed !== undefined) said.unshift(changed)
    }
    const overrides = this.#sources.flatMap((source) => source.overrides.get(name) ?? [])
    const [first] = said
    const overridden = first && overrides.length > 0 ? withParts(first, overrides, problems) : undefined
    if (overridden !== undefined) said.splice(0, 1, overridden)
    const group = FILESYSTEMS[name]
    if (said.length > 0 || group === undefined) return said
    const where = this.group(group)
    return where === undefined ? [] : [{ where, content: DISTRIBUTIONS_ROOT }]
  }

  /** Without those that a source of more weight replaces by a whole group of keys that `key` is in. */
  #relevantTo(key: string): readonly Settings[] {
    const last = this.#sources.findIndex(({ replaced }) => [...replaced].some((group) => key.startsWith(`${group}.`)))
    return last === -1 ? this.#sources : this.#sources.slice(0, last + 1)
  }
}

/** With the places of all that it comes from. */
function withParts(base: Raw | undefined, changes: readonly Part[], problems: ConfigProblem[]): Raw | undefined {
  const changed = changes.reduce<Raw | undefined>((raw, { path, raw: part }) => {
    try {
      return withPart(raw, path, part)
    } catch (error) {
      problems.push(...problemsAt(part.where, error))
      return raw
    }
  }, base)
  const places = [...changes.map(({ raw }) => raw.where), ...(base === undefined ? [] : [base.where])]
  return changed && { ...changed, where: places.join(', ') }
}
