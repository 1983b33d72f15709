import type { Action, Scope } from './authorizer.ts'
import { isAction } from './scope-text.ts'

/** What a token is good for: actions by resource. */
export type TokenAccess = ReadonlyMap<string, ReadonlySet<Action>>

/** Distribution's token specification, §Getting a Bearer Token: the claim `access`. What is not understood grants nothing. */
export function readAccess(claim: unknown): TokenAccess {
  const access = new Map<string, Set<Action>>()
  for (const entry of Array.isArray(claim) ? (claim as unknown[]) : []) {
    if (!isResource(entry)) continue
    const key = `${entry.type}:${entry.name}`
    const actions = access.get(key) ?? new Set<Action>()
    for (const action of entry.actions) if (typeof action === 'string' && isAction(action)) actions.add(action)
    access.set(key, actions)
  }
  return access
}

export function coveredBy(access: TokenAccess, { type, name, actions }: Scope): boolean {
  const granted = access.get(`${type}:${name}`)
  return granted !== undefined && (granted.has('*') || actions.every((action) => granted.has(action)))
}

function isResource(value: unknown): value is { type: string; name: string; actions: unknown[] } {
  if (typeof value !== 'object' || value === null) return false
  return 'type' in value && typeof value.type === 'string' && 'name' in value && typeof value.name === 'string' && 'actions' in value && Array.isArray(value.actions)
}
