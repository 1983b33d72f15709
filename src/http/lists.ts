import type { OutgoingHttpHeaders } from 'node:http'
import { RegistryError } from '../oci/errors.ts'
import type { Page, PageOptions } from '../registry/registry.ts'
import { json, type Answer } from './answer.ts'
import type { Exchange } from './exchange.ts'

/** end-8a and end-8b: the tags of a repository. */
export async function getTags({ registry, name, search, signal }: Exchange): Promise<Answer> {
  const options = pageOptions(search, signal)
  const page = await registry.tags(name, options)
  return json(200, { name, tags: page.entries }, nextLink(`/v2/${name}/tags/list`, lastOf(page), options))
}

/** The repositories, as Distribution lists them. */
export async function getCatalog({ registry, search, signal }: Exchange): Promise<Answer> {
  const options = pageOptions(search, signal)
  const page = await registry.catalog(options)
  return json(200, { repositories: page.entries }, nextLink('/v2/_catalog', lastOf(page), options))
}

/** @throws RegistryError UNSUPPORTED */
export function pageOptions(search: string, signal: AbortSignal): PageOptions {
  const query = new URLSearchParams(search)
  const n = query.get('n')
  if (n !== null && !/^\d{1,15}$/.test(n)) throw new RegistryError('UNSUPPORTED', 'n is not a number of entries', { status: 400, detail: { n } })
  return { limit: n === null ? undefined : Number(n), after: query.get('last') ?? undefined, signal }
}

/** RFC 5988: where the list goes on after `last`; undefined: nowhere. */
export function nextLink(path: string, last: string | undefined, { limit }: PageOptions, more: Readonly<Record<string, string>> = {}): OutgoingHttpHeaders {
  if (last === undefined) return {}
  const query = new URLSearchParams({ ...more, ...(limit === undefined ? {} : { n: String(limit) }), last })
  return { Link: `<${path}?${query}>; rel="next"` }
}

function lastOf({ entries, more }: Page): string | undefined {
  return more ? entries.at(-1) : undefined
}
