import { GROUPS, IGNORED_KEYS, isSpecialKey, knownKeys, OPTION_KEYS, REFUSED_KEYS, textFor, WORD_GROUPS } from './keys.ts'
import { textOf } from './kinds.ts'
import { suggestion } from './nearest.ts'
import { OPTIONS } from './options.ts'
import { isRawMap, type Raw, type RawMap } from './raw.ts'
import type { Settings } from './settings.ts'
import { readSpecialKey } from './special-keys.ts'

/** Takes what a source says at the key `path`, and below it, into `settings`. */
export function readKey(path: string, raw: Raw, settings: Settings): void {
  const { problems, warnings, values, groups } = settings
  const { where, content } = raw
  const name = OPTION_KEYS.get(path)
  const refused = textFor(REFUSED_KEYS, path)
  const ignored = textFor(IGNORED_KEYS, path)

  if (refused !== undefined) {
    if (isDriver(path) || !isOff(raw)) problems.push({ where, reason: `${path} is not supported: ${refused}` })
  } else if (ignored !== undefined) {
    if (!isOff(raw)) warnings.push(`${where}: ${path} is left out: ${ignored}`)
  } else if (name !== undefined) {
    if (content !== undefined || OPTIONS[name].kind.presence === true) values.set(name, raw)
  } else if (isSpecialKey(path)) {
    readSpecialKey(path, raw, settings)
  } else if (GROUPS.has(path)) {
    groups.set(path, where)
    // Whoever wrote it meant to keep others out.
    if (path === 'auth' && isEmpty(raw)) problems.push({ where, reason: 'auth has nothing below it, and everybody would be let in: name htpasswd or token there, or leave auth out' })
    if (isRawMap(content)) readKeys(content, `${path}.`, settings)
    else if (typeof content === 'string' && WORD_GROUPS.includes(path)) readKey(`${path}.${content}`, { where, content: undefined }, settings)
    else if (content !== undefined) problems.push({ where, reason: `${path} takes keys below it, not a value` })
  } else {
    problems.push({ where, reason: `${path} is not a key${suggestion(path, knownKeys())}` })
  }
}

export function readKeys(entries: RawMap, prefix: string, settings: Settings): void {
  for (const [key, raw] of entries) readKey(`${prefix}${key}`, raw, settings)
}

/** `storage.s3` chooses it, with nothing below it too. */
function isDriver(path: string): boolean {
  return WORD_GROUPS.some((group) => path.startsWith(`${group}.`) && !path.slice(group.length + 1).includes('.'))
}

function isEmpty({ content }: Raw): boolean {
  return content === undefined || (isRawMap(content) && content.size === 0)
}

/** Distribution's ways to say no: no value, nothing below, `enabled: false`. */
function isOff({ content }: Raw): boolean {
  if (!isRawMap(content)) return content === undefined || content === 'false'
  const enabled = content.get('enabled')
  return content.size === 0 || (enabled !== undefined && typeof enabled.content === 'string' && textOf(enabled).toLowerCase() === 'false')
}
