import { OPTIONS, optionNames } from './options.ts'
import { addAddress, noSettings, type Settings } from './settings.ts'
import { ADDRESS_KEY, LATER_KEYS } from './yaml-keys.ts'

/** Reads the environment. An empty variable counts as not set; several values are separated by commas or spaces. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Settings {
  const settings = noSettings()
  for (const name of optionNames()) {
    const { env: ours, yaml, kind } = OPTIONS[name]
    const where = [ours, registryVariable(yaml)].find((variable) => (env[variable] ?? '') !== '')
    const value = where === undefined ? undefined : env[where]
    if (where === undefined || value === undefined) continue
    settings.values.set(name, { texts: kind.many ? value.split(/[\s,]+/) : [value], where })
  }
  const address = env[registryVariable(ADDRESS_KEY)] ?? ''
  if (address !== '') addAddress(settings, address, registryVariable(ADDRESS_KEY))
  const later = LATER_KEYS.map(registryVariable)
  for (const variable of Object.keys(env)) {
    if (!later.some((known) => variable === known || variable.startsWith(`${known}_`))) continue
    settings.warnings.push(`${variable}: is not supported yet and is left out`)
  }
  return settings
}

/** Distribution: every key of the file can be overridden by `REGISTRY_<PATH_IN_CAPITALS>`. */
export function registryVariable(key: string): string {
  return `REGISTRY_${key.toUpperCase().replaceAll('.', '_')}`
}
