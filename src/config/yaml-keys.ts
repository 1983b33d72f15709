import { OPTIONS, optionNames, type OptionName } from './options.ts'

/** The table's keys by their path. */
export const OPTION_KEYS: ReadonlyMap<string, OptionName> = new Map(optionNames().map((name) => [OPTIONS[name].yaml, name]))

/** Distribution's `host:port`. */
export const ADDRESS_KEY = 'http.addr'
/** The format's version, `0.1`. */
export const VERSION_KEY = 'version'
/** Distribution's older key for `log.level`. */
export const OLD_LEVEL_KEY = 'loglevel'

/** Keys of Distribution and of the original Disco that Disco knows and does nothing with yet, with all below them. */
export const LATER_KEYS: readonly string[] = [
  'storage',
  'auth',
  'middleware',
  'catalog',
  'tags',
  'notifications',
  'redis',
  'health',
  'proxy',
  'validation',
  'compatibility',
  'policy',
  'reporting',
  'log.accesslog',
  'log.formatter',
  'log.fields',
  'log.hooks',
  'log.reportcaller',
  'http.net',
  'http.prefix',
  'http.host',
  'http.secret',
  'http.relativeurls',
  'http.draintimeout',
  'http.tls',
  'http.headers',
  'http.http2',
  'http.h2c',
  'http.debug',
]

/** Keys that have others below them. */
const GROUPS = ['disco', 'http', 'log']

export function knownKeys(): string[] {
  return [...GROUPS, ...OPTION_KEYS.keys(), ADDRESS_KEY, VERSION_KEY, OLD_LEVEL_KEY, ...LATER_KEYS]
}

export function isGroup(key: string): boolean {
  return GROUPS.includes(key)
}
