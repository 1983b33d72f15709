import type { Action, Scope } from '../auth/authorizer.ts'
import type { Route } from './routes.ts'

/** HTTP/2 has any word for a method, `constructor` too. */
const ACTIONS: ReadonlyMap<string, readonly Action[]> = new Map([['GET', ['pull']], ['HEAD', ['pull']], ['DELETE', ['delete']]])
/** Who pushes may also look: Docker asks for both. */
const WRITING: readonly Action[] = ['pull', 'push']

/** What a request to the registry needs. An upload's status and its end are part of the push that it is for. */
export function scopesOf(method: string, { resource, name }: Route, search: string): Scope[] {
  if (resource === 'base') return []
  if (resource === 'catalog') return [{ type: 'registry', name: 'catalog', actions: ['*'] }]
  if (resource === 'uploads') {
    const from = new URLSearchParams(search).get('from')
    // distribution-spec §Mounting a blob from another repository: a source that can't be mounted makes an ordinary upload.
    const source: Scope[] = from === null ? [] : [{ type: 'repository', name: from, actions: ['pull'], optional: true }]
    return [{ type: 'repository', name, actions: WRITING }, ...source]
  }
  if (resource === 'upload') return [{ type: 'repository', name, actions: WRITING }]
  return [{ type: 'repository', name, actions: ACTIONS.get(method) ?? WRITING }]
}
