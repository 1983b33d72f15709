import { isRawMap } from './raw.ts'
import { readKeys } from './read-key.ts'
import { noSettings, type Settings } from './settings.ts'
import { parseYaml } from './yaml.ts'

/** Reads a configuration file: our keys, and those of Distribution and of the original Disco. `name` stands in its messages. */
export function readFileText(content: string, name: string): Settings {
  const settings = noSettings()
  const { raw, problems, keys } = parseYaml(content, name)
  for (const [where, key] of keys) settings.keys.set(where, key)
  settings.problems.push(...problems)
  if (raw === undefined || raw.content === undefined) return settings
  if (isRawMap(raw.content)) readKeys(raw.content, '', settings)
  else settings.problems.push({ where: raw.where, reason: 'is not a list of keys and values' })
  return settings
}
