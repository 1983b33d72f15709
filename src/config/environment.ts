import { GROUPS, IGNORED_KEYS, knownKeys, OPTION_KEYS, REFUSED_KEYS } from './keys.ts'
import { suggestion } from './nearest.ts'
import { OPTIONS, optionNames, type OptionName } from './options.ts'
import { rawTexts, type Raw } from './raw.ts'
import { readKey } from './read-key.ts'
import { noSettings, type Settings } from './settings.ts'
import { parseYaml } from './yaml.ts'

/** The environment variable that tells a worker where the process with the network is; nobody else sets it. */
export const UPSTREAM_VARIABLE = 'DISCO_UPSTREAM_SOCKET'
/** … and this one which of the workers it is: 1, 2, … */
export const WORKER_VARIABLE = 'DISCO_WORKER_NUMBER'
/** Names the configuration file. */
export const FILE_VARIABLE = 'REGISTRY_CONFIGURATION_PATH'
/** Where podman, skopeo and buildah keep logins: none of ours. */
const OTHERS = 'REGISTRY_AUTH_FILE'
/** The original Disco's, for keys of `storage.r2` and `storage.ipfs.cache.r2`. */
const R2_KEYS = { R2_ACCESS_KEY: 'accesskey', R2_SECRET_KEY: 'secretkey' } as const
/** Below these, what is misspelt would leave the registry open, or have it store elsewhere. */
const CLOSING = /^(?:auth|access|storage|http\.tls)(?:\.|$)/
/** Variables of the tests and tools begin so. */
const TEST_PREFIX = 'DISCO_TEST_'
/** Kubernetes sets these in every container beside a service called `disco` or `registry`: nobody's misspelling. */
const SERVICE_LINK = /^(?:DISCO|REGISTRY)_(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT(?:_\d+_(?:TCP|UDP)(?:_(?:PROTO|PORT|ADDR))?)?)$/
const SERVICE_ADDRESS = /^(?:tcp|udp):\/\//

/** Variables that say what is at a key of a bucket, those that count most first. */
export function variablesOf(key: string): string[] {
  const [, name] = /^storage\.(?:ipfs\.cache\.)?r2\.(\w+)$/.exec(key) ?? []
  return [...Object.entries(R2_KEYS).flatMap(([variable, of]) => (of === name ? [variable] : [])), registryVariable(key)]
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Distribution: every key of the file can be overridden by `REGISTRY_<PATH_IN_CAPITALS>`. */
export function registryVariable(key: string): string {
  return `REGISTRY_${key.toUpperCase().replaceAll('.', '_')}`
}

/** Reads the environment. An empty variable counts as not set; our own names count more than Distribution's. */
export function readEnvironment(env: Environment): Settings {
  const settings = noSettings()
  const variables = Object.entries(env)
    .flatMap(([variable, value = '']) => (value === '' || isServiceLink(variable, env) ? [] : [[variable, value] as const]))
    // as Distribution sorts them: a group (REGISTRY_AUTH) comes before what is in it (REGISTRY_AUTH_HTPASSWD_PATH)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  for (const [variable, value] of variables) if (variable.startsWith('REGISTRY_')) readDistributions(variable, value, settings)
  const r2 = variables.flatMap(([where, content]) => (isR2Key(where) ? [{ path: [R2_KEYS[where]], raw: { where, content } }] : []))
  if (r2.length > 0) for (const name of ['storageR2', 'cacheR2'] as const) settings.overrides.set(name, r2)
  const ours = new Map(optionNames().flatMap((name) => {
    const { env: variable } = OPTIONS[name]
    return variable === undefined ? [] : [[variable, name] as const]
  }))
  for (const [variable, value] of variables) {
    const name = ours.get(variable)
    if (name !== undefined) {
      const raw = rawOf(name, value, variable, settings)
      if (raw !== undefined) settings.values.set(name, raw)
    } else if (variable.startsWith('DISCO_') && variable !== UPSTREAM_VARIABLE && variable !== WORKER_VARIABLE && !variable.startsWith(TEST_PREFIX)) {
      settings.problems.push({ where: variable, reason: `is not a variable of Disco${suggestion(variable, [...ours.keys()])}` })
    }
  }
  return settings
}

function isR2Key(variable: string): variable is keyof typeof R2_KEYS {
  return Object.hasOwn(R2_KEYS, variable)
}

function isServiceLink(variable: string, env: Environment): boolean {
  if (!SERVICE_LINK.test(variable)) return false
  return !/^(?:DISCO|REGISTRY)_PORT$/.test(variable) || SERVICE_ADDRESS.test(env[variable] ?? '')
}

function readDistributions(variable: string, value: string, settings: Settings): void {
  if (variable === FILE_VARIABLE || variable === OTHERS) return
  const keys = knownKeys()
  const exact = keys.find((key) => variable === registryVariable(key))
  if (exact !== undefined) {
    const isGroup = GROUPS.has(exact)
    if (isGroup) settings.replaced.add(exact)
    const raw = isGroup ? yaml(value, variable, settings) : rawOf(OPTION_KEYS.get(exact), value, variable, settings)
    if (raw !== undefined) readKey(exact, raw, settings)
    return
  }
  const parent = keys
    .filter((key) => variable.toUpperCase().startsWith(`${registryVariable(key)}_`))
    .toSorted((a, b) => b.length - a.length)[0] ?? ''
  const path = variable.slice(registryVariable(parent).length + 1).split('_')
  const name = OPTION_KEYS.get(parent)
  if (name !== undefined && (OPTIONS[name].kind.structure !== undefined || OPTIONS[name].kind.many)) {
    const raw = yaml(value, variable, settings)
    if (raw !== undefined) settings.parts.set(name, [...(settings.parts.get(name) ?? []), { path, raw }])
  } else if (parent in REFUSED_KEYS || parent in IGNORED_KEYS) {
    readKey(parent, { where: variable, content: value }, settings)
  } else {
    const meant = suggestion(variable, [FILE_VARIABLE, ...keys.map(registryVariable)])
    if (CLOSING.test(parent)) settings.problems.push({ where: variable, reason: `is not a variable of Disco${meant}` })
    else settings.warnings.push(`${variable}: is not a variable of Disco and is left out${meant}`)
  }
}

/** Several values are separated by commas or spaces, or written as YAML; what has keys in it is YAML. */
function rawOf(name: OptionName | undefined, value: string, variable: string, settings: Settings): Raw | undefined {
  if (name === undefined) return { where: variable, content: value }
  const { kind } = OPTIONS[name]
  const isYaml = kind.many ? value.startsWith('[') : kind.structure !== undefined || kind.presence === true
  if (isYaml) return yaml(value, variable, settings)
  return kind.many ? rawTexts(value.split(/[\s,]+/).filter((text) => text !== ''), variable) : { where: variable, content: value }
}

/** @returns undefined for what is none, which is among the problems then */
function yaml(value: string, variable: string, settings: Settings): Raw | undefined {
  const { raw, problems } = parseYaml(value, variable)
  settings.problems.push(...problems)
  return raw && { ...raw, where: variable }
}
