import type { Readable } from 'node:stream'

/** What is used of `@azure/storage-blob`, which is installed by who keeps images in Azure. */
export interface AzureSdk {
  readonly ContainerClient: new (url: string, credential: AzureCredential, options: object) => AzureContainer
  readonly StorageSharedKeyCredential: new (account: string, key: string) => SharedKey
  readonly BlobSASPermissions: { parse(permissions: string): object }
}

/** What is used of `@azure/identity`, for who asks with tokens. */
export interface AzureIdentity {
  readonly ClientSecretCredential: new (tenant: string, client: string, secret: string) => TokenCredential
  readonly DefaultAzureCredential: new () => TokenCredential
}

export interface SharedKey {
  readonly accountName: string
}

export interface TokenCredential {
  getToken(scopes: string): Promise<{ readonly token: string } | null>
}

export type AzureCredential = SharedKey | TokenCredential

export interface AzureContainer {
  getBlockBlobClient(name: string): AzureBlob
  listBlobsFlat(options: AzureListOptions): AzurePages
  listBlobsByHierarchy(delimiter: string, options: AzureListOptions): AzurePages
}

export interface AzureListOptions {
  readonly prefix: string
  /** The first name that may be listed; servers that do not know it begin at the first that there is. */
  readonly startFrom?: string
  readonly abortSignal: AbortSignal
}

export interface AzurePages {
  byPage(settings: { readonly maxPageSize: number; readonly continuationToken?: string }): AsyncIterableIterator<AzurePage>
}

export interface AzurePage {
  readonly segment: {
    readonly blobItems: readonly { readonly name: string; readonly properties: { readonly contentLength?: number; readonly lastModified?: Date; readonly etag?: string } }[]
    readonly blobPrefixes?: readonly { readonly name: string }[]
  }
  /** Empty after the last page. */
  readonly continuationToken?: string
}

interface Conditions {
  readonly conditions?: { readonly ifMatch?: string; readonly ifNoneMatch?: string }
}

interface Aborting {
  readonly abortSignal: AbortSignal
}

interface Headers {
  readonly blobHTTPHeaders: { readonly blobContentType: string }
}

/** What answers say of a blob. */
export interface AzureProperties {
  readonly contentLength?: number
  /** Of what was asked for in part. */
  readonly contentRange?: string
  readonly lastModified?: Date
  readonly etag?: string
  /** When the server gave the answer, by its clock. */
  readonly date?: Date
}

export interface AzureBlob {
  readonly url: string
  getProperties(options: Aborting): Promise<AzureProperties>
  download(offset: number, count: number | undefined, options: Aborting & Conditions & { readonly maxRetryRequests: number }):
    Promise<AzureProperties & { readonly readableStreamBody?: Readable }>
  upload(body: Uint8Array | (() => Readable), length: number, options: Aborting & Conditions & Headers & { readonly transactionalContentMD5?: Uint8Array }): Promise<AzureProperties>
  stageBlockFromURL(id: string, source: string, offset: number, count: number, options: Aborting & { readonly sourceAuthorization?: { readonly scheme: string; readonly value: string } }): Promise<unknown>
  commitBlockList(ids: readonly string[], options: Aborting & Headers): Promise<AzureProperties>
  deleteIfExists(options: Aborting & { readonly deleteSnapshots: 'include' }): Promise<unknown>
  generateSasUrl(options: { readonly permissions: object; readonly startsOn?: Date; readonly expiresOn: Date }): Promise<string>
}
