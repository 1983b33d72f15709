import { Document, isCollection, isScalar, visit, type Node } from 'yaml'
import { HIDDEN, withoutSecrets } from './hidden.ts'
import type { LoadedConfig } from './load.ts'
import { OPTIONS, optionNames, type Config, type OptionName } from './options.ts'
import type { Option } from './options/option.ts'

interface Shown {
  readonly key: string
  readonly value: unknown
  readonly from: string
}

/** What is in force as a configuration file, which says the same when it is read; where each value comes from stands beside it. */
export function configAsYaml(loaded: LoadedConfig): string {
  const document = new Document({})
  for (const { key, value, from } of shown(loaded)) {
    const path = key.split('.')
    const node = document.createNode(value) as Node
    visit(node, { Collection: (_, below) => { below.flow = below.items.every((item) => isScalar(item)) || below.items.length === 0 } })
    document.setIn(path, node)
    if (isCollection(node) && node.flow !== true) node.commentBefore = ` ${from}`
    else node.comment = ` ${from}`
  }
  return document.toString({ lineWidth: 0 })
}

/** The same by key: `{"disco.port": {"value": 1970, "from": "default"}}`. */
export function configAsJson(loaded: LoadedConfig): string {
  return JSON.stringify(Object.fromEntries(shown(loaded).map(({ key, value, from }) => [key, { value, from }])), undefined, 2)
}

/** What is not set, and has no default, says nothing. */
function shown({ config, origin }: LoadedConfig): Shown[] {
  // naming a scheme chooses it
  const isChosen = (key: string): boolean =>
    optionNames().some((name) => OPTIONS[name].yaml.startsWith(key.slice(0, key.lastIndexOf('.') + 1)) && origin(name) !== undefined)
  return optionNames().flatMap((name) => {
    const { yaml, secret, kind }: Option<Config[OptionName]> = OPTIONS[name]
    const value = config[name]
    if (value === undefined || (isOfScheme(yaml) && !isChosen(yaml))) return []
    return [{ key: yaml, value: secret === true ? HIDDEN : withoutSecrets(kind.write(value)), from: origin(name) ?? 'default' }]
  })
}

function isOfScheme(key: string): boolean {
  return key.startsWith('auth.')
}
