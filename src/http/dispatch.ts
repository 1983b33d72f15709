import { RegistryError } from '../oci/errors.ts'
import { json } from './answer.ts'
import { getBlob, deleteBlob, headBlob } from './blobs.ts'
import type { Handler } from './exchange.ts'
import { getCatalog, getTags } from './lists.ts'
import { deleteManifest, getManifest, putManifest } from './manifests.ts'
import { getReferrers } from './referrers.ts'
import type { Resource } from './routes.ts'
import { appendUpload, cancelUpload, finishUpload, startUpload, uploadStatus } from './uploads.ts'

/** What of the API is switched on. */
export interface ApiPolicy {
  /** Manifests, tags and blobs can be deleted. @default false, as Distribution has it */
  readonly deletes?: boolean | undefined
  /** Nothing can be written. @default false */
  readonly readonly?: boolean | undefined
}

/** RFC 9110 §9.1: what has GET has HEAD; the body stays away where the answer is written. */
const HANDLERS: Readonly<Record<Resource, ReadonlyMap<string, Handler>>> = {
  base: reading(async () => json(200, {})),
  catalog: reading(getCatalog),
  tags: reading(getTags),
  referrers: reading(getReferrers),
  manifest: new Map([...reading(getManifest), ['PUT', putManifest], ['DELETE', deleteManifest]]),
  blob: new Map([['GET', getBlob], ['HEAD', headBlob], ['DELETE', deleteBlob]]),
  uploads: new Map([['POST', startUpload]]),
  upload: new Map([...reading(uploadStatus), ['PATCH', appendUpload], ['PUT', finishUpload], ['DELETE', cancelUpload]]),
}

function reading(handler: Handler): Map<string, Handler> {
  return new Map([['GET', handler], ['HEAD', handler]])
}

/**
 * distribution-spec §Deleting tags, §Deleting Manifests, §Deleting Blobs: if deletion is disabled, the registry MUST
 * respond with either a `400 Bad Request` or a `405 Method Not Allowed`.
 *
 * @throws RegistryError UNSUPPORTED: 405 with `Allow`
 */
export function handlerOf(resource: Resource, method: string, policy: ApiPolicy = {}): Handler {
  const handlers = HANDLERS[resource]
  const handler = handlers.get(method)
  if (handler !== undefined && isAllowed(resource, method, policy)) return handler
  const allowed = [...handlers.keys()].filter((candidate) => isAllowed(resource, candidate, policy))
  throw new RegistryError('UNSUPPORTED', reasonOf(method, handler !== undefined, policy), { headers: { Allow: allowed.join(', ') } })
}

function isAllowed(resource: Resource, method: string, { deletes = false, readonly = false }: ApiPolicy): boolean {
  if (readonly) return method === 'GET' || method === 'HEAD'
  return deletes || method !== 'DELETE' || resource === 'upload'
}

function reasonOf(method: string, known: boolean, { readonly = false }: ApiPolicy): string {
  if (!known) return `${method} is not supported here`
  return readonly ? 'the registry is read-only' : 'deleting is switched off'
}
