/** What may be said of a bucket: the parameters of Distribution's `s3` driver that still mean something, sizes in bytes. */
export interface S3Options {
  readonly bucket: string
  /** @default where the SDK finds them: environment, shared files, the machine's role */
  readonly accessKey?: string | undefined
  readonly secretKey?: string | undefined
  readonly sessionToken?: string | undefined
  /** Needed unless there is an endpoint. @default us-east-1 */
  readonly region?: string | undefined
  /** Of a server that is not Amazon's: a URL, or a host. */
  readonly regionEndpoint?: string | undefined
  /** The bucket in the path and not in the host's name. @default whether there is an endpoint */
  readonly forcePathStyle?: boolean | undefined
  /** Encrypted by the server. @default false */
  readonly encrypt?: boolean | undefined
  /** With this key of its KMS. */
  readonly keyId?: string | undefined
  /** Over TLS, where the endpoint does not say. @default true */
  readonly secure?: boolean | undefined
  /** Believe any certificate. @default false */
  readonly skipVerify?: boolean | undefined
  /** Of the pieces in which uploads are sent. @default 10 MiB */
  readonly chunkSize?: number | undefined
  /** Copies of larger pieces than the threshold are made in parts of this size. @default 32 MiB */
  readonly multipartCopyChunkSize?: number | undefined
  /** Parts of one object that are copied at a time. @default 100; R2, which takes few at a time: 8 */
  readonly multipartCopyMaxConcurrency?: number | undefined
  /** @default 32 MiB */
  readonly multipartCopyThresholdSize?: number | undefined
  /** What all keys begin with. */
  readonly rootDirectory?: string | undefined
  /** `NONE` where the server knows no classes. @default STANDARD */
  readonly storageClass?: string | undefined
  /** @default false */
  readonly useDualStack?: boolean | undefined
  /** @default false */
  readonly accelerate?: boolean | undefined
  /** @default false */
  readonly useFipsEndpoint?: boolean | undefined
  readonly userAgent?: string | undefined
  /** @default private */
  readonly objectAcl?: string | undefined
  /** Cloudflare's R2: no classes and no ACLs, parts of one size, no checksums but those that it knows. @default false */
  readonly r2?: boolean | undefined
}

const MIB = 1024 * 1024
/** Amazon's limits: of all parts but the last, at least; of any, at most. R2's are the same. */
export const MIN_PART: number = 5 * MIB
const MAX_PART = 5 * 1024 * MIB
export const MAX_PARTS = 10_000

const STORAGE_CLASSES: ReadonlySet<string> = new Set([
  'NONE', 'STANDARD', 'REDUCED_REDUNDANCY', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'OUTPOSTS', 'GLACIER_IR', 'EXPRESS_ONEZONE',
])
const ACLS: ReadonlySet<string> = new Set([
  'private', 'public-read', 'public-read-write', 'authenticated-read', 'aws-exec-read', 'bucket-owner-read', 'bucket-owner-full-control',
])

/** A bucket can't be used as it is configured; the message says all that is wrong and is meant for whoever started Disco. */
export class S3OptionsError extends Error {
  override readonly name = 'S3OptionsError'
}

export type Settled = S3Options & { readonly [key in
  'region' | 'forcePathStyle' | 'chunkSize' | 'multipartCopyChunkSize' | 'multipartCopyMaxConcurrency' | 'multipartCopyThresholdSize' | 'rootDirectory'
]-?: Exclude<S3Options[key], undefined> }

/** With the defaults. @throws S3OptionsError */
export function settle(options: S3Options): Settled {
  const { region, regionEndpoint, r2 = false, storageClass = 'STANDARD', objectAcl = 'private' } = options
  const settled: Settled = {
    ...options,
    region: region ?? (r2 ? 'auto' : 'us-east-1'),
    forcePathStyle: options.forcePathStyle ?? regionEndpoint !== undefined,
    chunkSize: options.chunkSize ?? 2 * MIN_PART,
    multipartCopyChunkSize: options.multipartCopyChunkSize ?? 32 * MIB,
    multipartCopyMaxConcurrency: options.multipartCopyMaxConcurrency ?? (r2 ? 8 : 100),
    multipartCopyThresholdSize: options.multipartCopyThresholdSize ?? 32 * MIB,
    rootDirectory: (options.rootDirectory ?? '').replace(/^\/+|\/+$/g, ''),
    storageClass: r2 ? 'NONE' : storageClass.toUpperCase(),
  }
  const faults = [
    ...(options.bucket === '' ? ['bucket is missing'] : []),
    ...(!r2 && region === undefined && regionEndpoint === undefined ? ['region is missing: it says where in Amazon the bucket is'] : []),
    ...(r2 && regionEndpoint === undefined ? ['regionendpoint is missing: https://<account>.r2.cloudflarestorage.com is wanted'] : []),
    ...((options.accessKey === undefined) === (options.secretKey === undefined) ? [] : ['accesskey and secretkey belong together']),
    // Amazon refuses the key then; servers that do not would take the objects as they are.
    ...(options.keyId !== undefined && options.encrypt !== true ? ['keyid means nothing without encrypt: true, and objects would not be encrypted: write both, or none'] : []),
    ...(STORAGE_CLASSES.has(settled.storageClass ?? '') ? [] : [`storageclass ${storageClass} is none of ${[...STORAGE_CLASSES].join(', ')}`]),
    ...(ACLS.has(objectAcl) ? [] : [`objectacl ${objectAcl} is none of ${[...ACLS].join(', ')}`]),
    ...within('chunksize', settled.chunkSize, MIN_PART, MAX_PART),
    ...within('multipartcopychunksize', settled.multipartCopyChunkSize, MIN_PART, MAX_PART),
    ...within('multipartcopythresholdsize', settled.multipartCopyThresholdSize, 0, MAX_PART),
    ...within('multipartcopymaxconcurrency', settled.multipartCopyMaxConcurrency, 1, Number.MAX_SAFE_INTEGER),
  ]
  if (faults.length > 0) throw new S3OptionsError(faults.join('; '))
  return settled
}

/** Of the server, as a URL. @returns undefined for Amazon's */
export function endpointOf({ regionEndpoint, secure = true }: Pick<S3Options, 'regionEndpoint' | 'secure'>): string | undefined {
  return regionEndpoint === undefined || hasScheme(regionEndpoint) ? regionEndpoint : `http${secure ? 's' : ''}://${regionEndpoint}`
}

/** Whether an endpoint says if it is asked with TLS. */
export function hasScheme(endpoint: string): boolean {
  return /^https?:\/\//i.test(endpoint)
}

function within(name: string, value: number, least: number, most: number): string[] {
  return Number.isSafeInteger(value) && value >= least && value <= most ? [] : [`${name} is ${value}, not from ${least} to ${most}`]
}
