import type { AzureBlob, AzureSdk, TokenCredential } from './sdk.ts'

/** In milliseconds: for how long the server may read what it is told to copy, and how far its clock may be behind ours. */
const COPYING = 3_600_000
const SKEW = 300_000
const SCOPE = 'https://storage.azure.com/.default'

/** How others than ourselves are let in to a blob. */
export interface AzureSignatures {
  /** For the server itself, which copies it. */
  source(blob: AzureBlob): Promise<{ readonly url: string; readonly authorization?: { readonly scheme: string; readonly value: string } }>
  /** A URL for anybody, for so many seconds; undefined where nothing is signed. */
  url(blob: AzureBlob, seconds: number): Promise<string | undefined>
}

/** With the account's key. */
export function keySignatures({ BlobSASPermissions }: AzureSdk): AzureSignatures {
  const sign = (blob: AzureBlob, milliseconds: number): Promise<string> => blob.generateSasUrl({
    permissions: BlobSASPermissions.parse('r'), startsOn: new Date(Date.now() - SKEW), expiresOn: new Date(Date.now() + milliseconds),
  })
  return {
    source: async (blob) => ({ url: await sign(blob, COPYING) }),
    url: (blob, seconds) => sign(blob, seconds * 1000),
  }
}

/** With a token of who asks, which is given to nobody else. */
export function tokenSignatures(credential: TokenCredential): AzureSignatures {
  return {
    source: async (blob) => ({ url: blob.url, authorization: { scheme: 'Bearer', value: (await credential.getToken(SCOPE))?.token ?? '' } }),
    url: async () => undefined,
  }
}
