import { RegistryError } from '../oci/errors.ts'
import { json } from './answer.ts'
import { getBlob } from './blobs.ts'
import type { Handler } from './exchange.ts'
import { getCatalog, getTags } from './lists.ts'
import { getManifest, putManifest } from './manifests.ts'
import type { Resource } from './routes.ts'
import { appendUpload, cancelUpload, finishUpload, startUpload, uploadStatus } from './uploads.ts'

/** RFC 9110 §9.1: what has GET has HEAD; the body stays away where the answer is written. */
const HANDLERS: Readonly<Record<Resource, ReadonlyMap<string, Handler>>> = {
  base: reading(async () => json(200, {})),
  catalog: reading(getCatalog),
  tags: reading(getTags),
  manifest: new Map([...reading(getManifest), ['PUT', putManifest]]),
  blob: reading(getBlob),
  uploads: new Map([['POST', startUpload]]),
  upload: new Map([...reading(uploadStatus), ['PATCH', appendUpload], ['PUT', finishUpload], ['DELETE', cancelUpload]]),
}

function reading(handler: Handler): Map<string, Handler> {
  return new Map([['GET', handler], ['HEAD', handler]])
}

/** @throws RegistryError UNSUPPORTED: 405 with `Allow` */
export function handlerOf(resource: Resource, method: string): Handler {
  const handler = HANDLERS[resource].get(method)
  if (handler === undefined) {
    throw new RegistryError('UNSUPPORTED', `${method} is not supported here`, { headers: { Allow: [...HANDLERS[resource].keys()].join(', ') } })
  }
  return handler
}

