import { OPTIONS, optionNames, type OptionName } from './options.ts'

/** The table's keys by their path. */
export const OPTION_KEYS: ReadonlyMap<string, OptionName> = new Map(optionNames().map((name) => [OPTIONS[name].yaml, name]))

/** Keys that set options in a way of their own, and those that are checked and set nothing. */
export const SPECIAL_KEYS = ['version', 'loglevel', 'http.addr', 'http.net', 'validation.disabled', 'validation.enabled', 'auth.none'] as const

export type SpecialKey = (typeof SPECIAL_KEYS)[number]

/** Groups that may be a word: `storage: inmemory` is `storage: { inmemory: {} }`. */
export const WORD_GROUPS: readonly string[] = ['storage', 'auth']

/** Keys of Distribution, with all below them, that mean nothing here, and why. */
export const IGNORED_KEYS: Readonly<Record<string, string>> = {
  redis: 'Disco keeps no cache in Redis',
  middleware: 'Disco has no middleware',
  reporting: 'Disco reports to nobody; see the metrics',
  policy: 'Disco takes content of every class',
  compatibility: 'Disco takes no manifests of schema 1',
  tags: 'a page of tags has at most 1,000',
  'http.relativeurls': 'locations are always paths, whoever asks',
  'log.hooks': 'Disco sends no mail; let what collects the logs do that',
  'log.reportcaller': 'lines of the log say which part wrote them',
  'storage.cache': 'Disco needs no cache of descriptors',
  'storage.tag': 'tags are found by an index',
  'storage.filesystem.maxthreads': 'Node has its own threads',
  'validation.manifests.urls': 'Disco never fetches what a manifest\'s URLs name, and does not judge them',
}

/** Keys without which Disco would store elsewhere, or serve others, than its operator wants: why it does not start with them. */
export const REFUSED_KEYS: Readonly<Record<string, string>> = {
  proxy: 'Disco is no pull-through cache: take it out, and name other Discos by disco.peer',
  'http.tls.letsencrypt': 'Disco asks for no certificates: put a proxy before it that does, or name files by http.tls.certificate and http.tls.key',
  'storage.oss': 'of buckets Disco knows storage.s3, storage.r2, storage.gcs and storage.azure',
  'storage.swift': 'of buckets Disco knows storage.s3, storage.r2, storage.gcs and storage.azure',
}

/** Keys that have others below them. */
export const GROUPS: ReadonlySet<string> = new Set(
  [...OPTION_KEYS.keys(), ...SPECIAL_KEYS, ...Object.keys(IGNORED_KEYS), ...Object.keys(REFUSED_KEYS)].flatMap((key) => {
    const segments = key.split('.')
    return segments.slice(1).map((_, index) => segments.slice(0, index + 1).join('.'))
  }),
)

export function knownKeys(): string[] {
  return [...new Set([...GROUPS, ...OPTION_KEYS.keys(), ...SPECIAL_KEYS, ...Object.keys(IGNORED_KEYS), ...Object.keys(REFUSED_KEYS)])]
}

export function isSpecialKey(key: string): key is SpecialKey {
  return (SPECIAL_KEYS as readonly string[]).includes(key)
}

export function textFor(keys: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(keys, key) ? keys[key] : undefined
}
