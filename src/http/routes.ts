import { RegistryError } from '../oci/errors.ts'

export type Resource = 'base' | 'catalog' | 'tags' | 'manifest' | 'blob' | 'uploads' | 'upload' | 'referrers'

/** What they are called in metrics, as in Distribution. */
export const HANDLER_NAMES: Readonly<Record<Resource, string>> = {
  base: 'base', catalog: 'catalog', tags: 'tags', manifest: 'manifest', blob: 'blob', uploads: 'blob_upload', upload: 'blob_upload_chunk', referrers: 'referrers',
}

/** What a path names. Whether name and reference are well-formed is the registry's to say. */
export interface Route {
  readonly resource: Resource
  /** Repository; empty where the resource is in none. */
  readonly name: string
  /** Tag, digest or upload id; empty where the resource has none. */
  readonly reference: string
}

const BASE: Route = { resource: 'base', name: '', reference: '' }
const CATALOG: Route = { resource: 'catalog', name: '', reference: '' }

/**
 * Reads a path from its end, because a name may have any number of segments, also ones like `manifests`.
 *
 * @returns undefined where the path is none of the registry's
 * @throws RegistryError NAME_INVALID when its percent-encoding is broken
 */
export function parseRoute(path: string): Route | undefined {
  if (path === '/v2/' || path === '/v2') return BASE
  if (path === '/v2/_catalog') return CATALOG
  if (!path.startsWith('/v2/')) return undefined
  const end = path.lastIndexOf('/')
  const before = path.slice(0, end)
  const last = path.slice(end + 1)
  return (
    named('manifest', before, '/manifests', last) ??
    named('referrers', before, '/referrers', last) ??
    named('tags', path, '/tags/list', '') ??
    named('uploads', path, '/blobs/uploads/', '') ??
    named('uploads', path, '/blobs/uploads', '') ??
    named('upload', before, '/blobs/uploads', last) ??
    named('blob', before, '/blobs', last)
  )
}

function named(resource: Resource, path: string, suffix: string, reference: string): Route | undefined {
  const end = path.length - suffix.length
  if (end <= '/v2/'.length || !path.endsWith(suffix)) return undefined
  return { resource, name: decode(path.slice('/v2/'.length, end)), reference: decode(reference) }
}

function decode(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new RegistryError('NAME_INVALID', 'malformed percent-encoding', { cause })
  }
}
