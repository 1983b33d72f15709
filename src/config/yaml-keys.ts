import { OPTIONS, optionNames, type OptionName } from './options.ts'

/** The table's keys by their path. */
export const OPTION_KEYS: ReadonlyMap<string, OptionName> = new Map(optionNames().map((name) => [OPTIONS[name].yaml, name]))

/** Distribution's `host:port`. */
export const ADDRESS_KEY = 'http.addr'
/** The format's version, `0.1`. */
export const VERSION_KEY = 'version'
/** Distribution's older key for `log.level`. */
export const OLD_LEVEL_KEY = 'loglevel'

/**
 * Keys that keep strangers out. Disco does nothing with them yet, and a registry that starts open where its operator
 * closed it is worse than one that does not start.
 */
export const REFUSED_KEYS: readonly string[] = ['auth', 'http.tls', 'storage.maintenance.readonly']

/** Keys of Distribution and of the original Disco that Disco knows and does nothing with yet, with all below them. */
export const LATER_KEYS: readonly string[] = [
  'storage',
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
  'http.headers',
  'http.http2',
  'http.h2c',
  'http.debug',
]

/** Keys that have others below them. */
const GROUPS = ['disco', 'http', 'log']

export function knownKeys(): string[] {
  return [...GROUPS, ...OPTION_KEYS.keys(), ADDRESS_KEY, VERSION_KEY, OLD_LEVEL_KEY, ...REFUSED_KEYS, ...LATER_KEYS]
}

export function isGroup(key: string): boolean {
  return GROUPS.includes(key)
}

export function refusal(key: string): string {
  return `${key} is not supported yet, and without it the registry would be open: take it out, and put a proxy before Disco that does it`
}
