import type { Page } from '../bucket.ts'
import { etagOf } from './properties.ts'
import type { AzureContainer, AzurePage } from './sdk.ts'

export interface Asked {
  readonly prefix: string
  readonly delimiter: '/' | undefined
  readonly after: string | undefined
  readonly next: string | undefined
  readonly limit: number
}

/**
 * One page, by full names. Where the server does not know where to begin, which it learned with the version 2026-02-06, all
 * that comes before is looked at.
 */
export async function pageOf(container: AzureContainer, { prefix, delimiter, after, next, limit }: Asked, abortSignal: AbortSignal): Promise<Page> {
  const start = after !== undefined && delimiter !== undefined && after.endsWith(delimiter) ? `${after.slice(0, -1)}0` : after
  const options = { prefix, abortSignal, ...(start === undefined ? {} : { startFrom: start }) }
  const pages = delimiter === undefined ? container.listBlobsFlat(options) : container.listBlobsByHierarchy(delimiter, options)
  const isAfter = (name: string): boolean => after === undefined || (name > after && !(delimiter !== undefined && after.endsWith(delimiter) && name.startsWith(after)))
  for await (const { segment, continuationToken } of pages.byPage({ maxPageSize: limit, ...(next === undefined ? {} : { continuationToken: next }) })) {
    const objects = segment.blobItems.filter(({ name }) => isAfter(name)).map(objectOf)
    const prefixes = (segment.blobPrefixes ?? []).map(({ name }) => name).filter(isAfter)
    const more = continuationToken !== undefined && continuationToken !== ''
    if (objects.length > 0 || prefixes.length > 0 || !more) return { objects, prefixes, next: more ? continuationToken : undefined }
  }
  return { objects: [], prefixes: [], next: undefined }
}

function objectOf({ name, properties: { contentLength = 0, lastModified, etag } }: AzurePage['segment']['blobItems'][number]): Page['objects'][number] {
  return { path: name, size: contentLength, modifiedAt: lastModified?.getTime() ?? 0, etag: etagOf(etag === undefined ? {} : { etag }) }
}
