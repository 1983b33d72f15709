import { suggestion } from './nearest.ts'
import { OPTIONS, optionNames } from './options.ts'
import { addAddress, noSettings, type Settings } from './settings.ts'
import { ADDRESS_KEY, LATER_KEYS, OPTION_KEYS, REFUSED_KEYS, refusal } from './yaml-keys.ts'

/** The environment variable that tells a worker where the process with the network is; nobody else sets it. */
export const UPSTREAM_VARIABLE = 'DISCO_UPSTREAM_SOCKET'
/** Names the configuration file. */
export const FILE_VARIABLE = 'REGISTRY_CONFIGURATION_PATH'
/** Variables of the tests and tools begin so. */
const TEST_PREFIX = 'DISCO_TEST_'
/** Kubernetes sets these in every container beside a service called `disco` or `registry`: nobody's misspelling. */
const SERVICE_LINK = /^(?:DISCO|REGISTRY)_(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT(?:_\d+_(?:TCP|UDP)(?:_(?:PROTO|PORT|ADDR))?)?)$/
const SERVICE_ADDRESS = /^(?:tcp|udp):\/\//

type Environment = Readonly<Record<string, string | undefined>>

/** Reads the environment. An empty variable counts as not set; several values are separated by commas or spaces. */
export function readEnvironment(env: Environment): Settings {
  const settings = noSettings()
  for (const name of optionNames()) {
    const { env: ours, yaml, kind } = OPTIONS[name]
    const where = [ours, registryVariable(yaml)].find((variable) => (env[variable] ?? '') !== '' && !isServiceLink(variable, env))
    const value = where === undefined ? undefined : env[where]
    if (where === undefined || value === undefined) continue
    settings.values.set(name, { texts: kind.many ? value.split(/[\s,]+/) : [value], where })
  }
  const address = env[registryVariable(ADDRESS_KEY)] ?? ''
  if (address !== '') addAddress(settings, address, registryVariable(ADDRESS_KEY))
  for (const [variable, value = ''] of Object.entries(env)) {
    if (value === '' || isServiceLink(variable, env)) continue
    if (variable.startsWith('DISCO_')) readOurs(variable, settings)
    if (variable.startsWith('REGISTRY_')) readDistributions(variable, settings)
  }
  return settings
}

/** Distribution: every key of the file can be overridden by `REGISTRY_<PATH_IN_CAPITALS>`. */
export function registryVariable(key: string): string {
  return `REGISTRY_${key.toUpperCase().replaceAll('.', '_')}`
}

function isServiceLink(variable: string, env: Environment): boolean {
  if (!SERVICE_LINK.test(variable)) return false
  return !/^(?:DISCO|REGISTRY)_PORT$/.test(variable) || SERVICE_ADDRESS.test(env[variable] ?? '')
}

function readOurs(variable: string, { problems }: Settings): void {
  const known = optionNames().map((name) => OPTIONS[name].env)
  if (known.includes(variable) || variable === UPSTREAM_VARIABLE || variable.startsWith(TEST_PREFIX)) return
  problems.push({ where: variable, reason: `is not a variable of Disco${suggestion(variable, known)}` })
}

function readDistributions(variable: string, { problems, warnings }: Settings): void {
  const isBelow = (key: string): boolean => variable === registryVariable(key) || variable.startsWith(`${registryVariable(key)}_`)
  const refused = REFUSED_KEYS.find(isBelow)
  const known = [FILE_VARIABLE, ...[...OPTION_KEYS.keys(), ADDRESS_KEY].map(registryVariable)]
  if (refused !== undefined) problems.push({ where: variable, reason: refusal(refused) })
  else if (LATER_KEYS.some(isBelow)) warnings.push(`${variable}: is not supported yet and is left out`)
  else if (!known.includes(variable)) warnings.push(`${variable}: is not a variable of Disco and is left out${suggestion(variable, known)}`)
}
