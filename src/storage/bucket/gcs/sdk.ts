import type { Writable } from 'node:stream'

/** What is used of `@google-cloud/storage`, which is installed by who keeps images in Google's Cloud Storage. */
export interface GcsSdk {
  readonly Storage: new (options: GcsStorageOptions) => GcsStorage
}

export interface GcsStorage {
  /** Lets in. */
  readonly authClient: {
    /** Of a service account. Told here, for the option of that name warns at each start. */
    jsonContent: GcsCredentials | null
    getRequestHeaders(url: string): Promise<Headers>
  }
  bucket(name: string): GcsBucketClient
}

/** What lets a request in. */
export type GcsAuth = (url: string) => Promise<Iterable<readonly [name: string, value: string]>>

export interface GcsStorageOptions {
  readonly apiEndpoint?: string
  readonly useAuthWithCustomEndpoint?: boolean
  readonly userAgent?: string
  /** Without a byte either way, in milliseconds. */
  readonly timeout: number
  readonly retryOptions: { readonly autoRetry: boolean; readonly maxRetries: number }
}

/** A service account's key, as Google gives it as JSON. */
export type GcsCredentials = Readonly<Record<string, string>>

export interface GcsBucketClient {
  file(name: string): GcsFile
  getFiles(query: GcsQuery): Promise<readonly [files: readonly unknown[], next: unknown, answer: GcsList]>
  combine(sources: readonly GcsFile[], destination: GcsFile): Promise<readonly [file: GcsFile, answer: { readonly generation?: string }]>
}

export interface GcsQuery {
  readonly autoPaginate: false
  readonly prefix: string
  readonly maxResults: number
  readonly delimiter?: string
  /** The first name that may be listed. */
  readonly startOffset?: string
  readonly pageToken?: string
  readonly fields: string
}

export interface GcsList {
  readonly items?: readonly (GcsMetadata & { readonly name: string })[]
  readonly prefixes?: readonly string[]
  readonly nextPageToken?: string
}

export interface GcsMetadata {
  readonly size?: string | number
  /** As RFC 3339 has it. */
  readonly updated?: string
  /** Of each write another one. */
  readonly generation?: string | number
}

export interface GcsFile {
  readonly metadata: GcsMetadata
  getMetadata(): Promise<readonly [GcsMetadata, ...unknown[]]>
  createWriteStream(options: {
    readonly resumable: false
    readonly validation: false
    readonly contentType: string
    readonly metadata: { readonly md5Hash: string }
    readonly preconditionOpts?: { readonly ifGenerationMatch: string | number }
  }): Writable
  delete(options: { readonly ignoreNotFound: true }): Promise<unknown>
  getSignedUrl(options: { readonly version: 'v4'; readonly action: 'read'; readonly expires: number }): Promise<readonly [string]>
}
