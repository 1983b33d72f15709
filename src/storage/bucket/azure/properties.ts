import type { Found } from '../bucket.ts'
import type { AzureProperties } from './sdk.ts'

/** What objects of ours have in common. */
export const HEADERS = { blobHTTPHeaders: { blobContentType: 'application/octet-stream' } } as const

export function foundOf(answer: AzureProperties): Found {
  return { size: answer.contentLength ?? 0, modifiedAt: answer.lastModified?.getTime() ?? 0, etag: etagOf(answer) }
}

/** Some answers have it without its quotes. */
export function etagOf({ etag = '' }: Pick<AzureProperties, 'etag'>): string {
  return etag.startsWith('"') ? etag : `"${etag}"`
}
