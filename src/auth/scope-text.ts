import type { Action, Scope } from './authorizer.ts'

const ACTIONS: ReadonlySet<string> = new Set<Action>(['pull', 'push', 'delete', '*'])

/** Distribution's token specification: `resourcescope := resourcetype ":" resourcename ":" action [ "," action ]*`. */
export function formatScopes(scopes: readonly Scope[]): string {
  return scopes.map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`).join(' ')
}

/** What is understood of scopes, each text having one or several; a registry has nothing to grant for others. */
export function parseScopes(texts: readonly string[]): Scope[] {
  return texts.flatMap((text) => text.split(' ')).flatMap((text) => parseScope(text) ?? [])
}

/** A name may have colons, as it has a host with its port: so the first and the last one count. */
function parseScope(text: string): Scope | undefined {
  // `repository(plugin):name:pull`, an earlier specification's class
  const match = /^(repository|registry)(?:\([a-z0-9]+\))?:(.+):([^:]*)$/.exec(text)
  if (match === null) return undefined
  const [, type, name = '', actions = ''] = match
  return { type: type as Scope['type'], name, actions: actions.split(',').filter(isAction) }
}

export function isAction(text: string): text is Action {
  return ACTIONS.has(text)
}
