import { LineCounter, isMap, isScalar, isSeq, parseDocument, type Node, type YAMLMap } from 'yaml'
import { suggestion } from './nearest.ts'
import { OPTIONS } from './options.ts'
import { addAddress, noSettings, type Settings } from './settings.ts'
import { ADDRESS_KEY, LATER_KEYS, OLD_LEVEL_KEY, OPTION_KEYS, REFUSED_KEYS, VERSION_KEY, isGroup, knownKeys, refusal } from './yaml-keys.ts'

/** Reads a configuration file: our keys, and those of Distribution and of the original Disco. `name` stands in its messages. */
export function readFileText(content: string, name: string): Settings {
  const settings = noSettings()
  const lines = new LineCounter()
  const document = parseDocument(content, { lineCounter: lines })
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${name}:${line}:${col}`
  }
  for (const { pos, message } of document.errors) {
    settings.problems.push({ where: place(pos[0]), reason: message.split(' at line')[0] ?? message })
  }
  const root = document.contents
  if (document.errors.length > 0 || root === null) return settings
  if (isMap(root)) readMap(root, '', settings, place)
  else if (!isScalar(root) || root.value !== null) settings.problems.push({ where: place(0), reason: 'is not a list of keys and values' })
  return settings
}

function readMap(map: YAMLMap, prefix: string, settings: Settings, place: (offset: number) => string): void {
  for (const { key, value } of map.items) {
    const path = `${prefix}${isScalar(key) ? (key.source ?? '') : ''}`
    const at = key as Node
    readKey(path, value as Node | null, place(at.range?.[0] ?? 0), settings, place)
  }
}

function readKey(path: string, value: Node | null, where: string, settings: Settings, place: (offset: number) => string): void {
  const later = LATER_KEYS.includes(path)
  const name = OPTION_KEYS.get(path) ?? (path === OLD_LEVEL_KEY ? 'logLevel' : undefined)

  if (REFUSED_KEYS.includes(path)) {
    if (!isOff(value)) settings.problems.push({ where, reason: refusal(path) })
  } else if (later) {
    for (const refused of REFUSED_KEYS.filter((key) => key.startsWith(`${path}.`))) {
      const below = isMap(value) ? value.getIn(refused.slice(path.length + 1).split('.'), true) : undefined
      if (!isOff(below)) settings.problems.push({ where, reason: refusal(refused) })
    }
    settings.warnings.push(`${where}: ${path} is not supported yet and is left out`)
  } else if (name !== undefined) {
    const texts = scalars(value)
    if (texts === undefined || (texts.length > 1 && !OPTIONS[name].kind.many)) {
      settings.problems.push({ where, reason: `${path} takes ${OPTIONS[name].kind.many ? 'values' : 'one value'}, not ${isMap(value) ? 'keys' : 'this'}` })
    } else if (texts.length > 0 && (path !== OLD_LEVEL_KEY || !settings.values.has(name))) {
      settings.values.set(name, { texts, where })
    }
  } else if (path === ADDRESS_KEY) {
    addAddress(settings, scalars(value)?.[0] ?? '', where)
  } else if (path === VERSION_KEY) {
    const version = isScalar(value) ? value.source : undefined
    if (version !== '0.1') settings.problems.push({ where, reason: `version '${version ?? ''}' is not 0.1` })
  } else if (isGroup(path)) {
    if (isMap(value)) readMap(value, `${path}.`, settings, place)
    else if (scalars(value)?.length !== 0) settings.problems.push({ where, reason: `${path} takes keys below it, not a value` })
  } else {
    settings.problems.push({ where, reason: `${path} is not a key${suggestion(path, knownKeys())}` })
  }
}

/** Distribution's ways to say no: no value, nothing below, `enabled: false`. */
function isOff(value: unknown): boolean {
  if (isMap(value)) return value.items.length === 0 || value.get('enabled') === false
  return value === undefined || value === null || (isScalar(value) && value.value === null)
}

/** The texts of a value or of a list of values; none for an empty value; undefined where there is something else. */
function scalars(node: Node | null): string[] | undefined {
  if (node === null) return []
  if (isSeq(node)) {
    const items = node.items.map((item) => scalars(item as Node)?.[0])
    return items.some((item) => item === undefined) ? undefined : (items as string[])
  }
  if (!isScalar(node)) return undefined
  return node.value === null ? [] : [typeof node.value === 'string' ? node.value : (node.source ?? '')]
}
