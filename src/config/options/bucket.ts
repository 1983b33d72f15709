import { checked, integer, text, toggle, type Kind } from '../kinds.ts'
import { size } from '../measures.ts'
import { ConfigError, problemsAt, type ConfigProblem } from '../problem.ts'
import { isRawMap, type Raw, type RawMap } from '../raw.ts'
import { fields, type Shape } from '../structures.ts'
import { checkEndpoint } from './addresses.ts'

/** A bucket, by the parameters of Distribution's `s3` driver; sizes in bytes. What opens it knows the defaults. */
export interface BucketConfig {
  readonly bucket: string
  readonly accessKey?: string | undefined
  readonly secretKey?: string | undefined
  readonly sessionToken?: string | undefined
  readonly region?: string | undefined
  readonly regionEndpoint?: string | undefined
  readonly forcePathStyle?: boolean | undefined
  readonly encrypt?: boolean | undefined
  readonly keyId?: string | undefined
  readonly secure?: boolean | undefined
  readonly skipVerify?: boolean | undefined
  readonly chunkSize?: number | undefined
  readonly multipartCopyChunkSize?: number | undefined
  readonly multipartCopyMaxConcurrency?: number | undefined
  readonly multipartCopyThresholdSize?: number | undefined
  readonly rootDirectory?: string | undefined
  readonly storageClass?: string | undefined
  readonly useDualStack?: boolean | undefined
  readonly accelerate?: boolean | undefined
  readonly useFipsEndpoint?: boolean | undefined
  readonly userAgent?: string | undefined
  readonly objectAcl?: string | undefined
}

/** What R2 has no use for is refused with it. */
export type R2Config = Omit<BucketConfig, 'encrypt' | 'keyId' | 'storageClass' | 'objectAcl' | 'useDualStack' | 'accelerate' | 'useFipsEndpoint'>

const MIB = 1024 * 1024

/** How keys of Distribution's driver are read that are no parameters here. */
export interface Driver {
  /** They mean nothing here. */
  readonly leftOut: ReadonlySet<string>
  /** What may not be said by them. @returns why, the key first */
  readonly refused: Readonly<Record<string, (value: string) => string | undefined>>
}

const S3_DRIVER: Driver = {
  /** Distribution's logs are its own, and signatures of version 4 are the only ones. */
  leftOut: new Set(['loglevel', 'logs3apirequests', 'logs3apiresponseheaders', 'multipartcombinesmallpart', 'v4auth']),
  refused: { v4auth: (value) => (value === 'false' ? 'v4auth is false, which is not supported: Disco signs by version 4 alone' : undefined) },
}

/** A part of URLs, in which a segment of dots is another place than the keys that begin with it. */
export const urlPart: Kind<string> = checked('<text>', (value) => {
  if (value === '') throw new Error('is empty')
  if (value.split('/').some((segment) => segment === '.' || segment === '..')) throw new Error(`'${value}' has . or .. in it, which no bucket has a place for`)
})

const R2_SHAPE: Shape<R2Config> = {
  bucket: { kind: urlPart, doc: 'Its name. It has to be there.' },
  accessKey: { kind: text, default: undefined, defaultText: 'what `AWS_ACCESS_KEY_ID`, `~/.aws` or the machine\'s role say', doc: 'Who asks.' },
  secretKey: { kind: text, default: undefined, defaultText: 'like `accesskey`', doc: 'Signs what is asked. Never shown.' },
  sessionToken: { kind: text, default: undefined, doc: 'Of keys that are given for a time.' },
  region: { kind: text, default: undefined, defaultText: '`us-east-1`; R2: `auto`', doc: 'Where the bucket is; must be given without `regionendpoint`.' },
  regionEndpoint: { kind: checked('<url>', checkEndpoint), default: undefined, defaultText: 'Amazon\'s of the region', doc: 'URL of another server: `https://minio.example.com:9000`, `https://<account>.r2.cloudflarestorage.com`. Without a scheme `secure` says it.' },
  forcePathStyle: { kind: toggle, default: undefined, defaultText: 'true with `regionendpoint`', doc: 'The bucket is named in the path and not in the host\'s name.' },
  secure: { kind: toggle, default: undefined, defaultText: 'true', doc: 'TLS, where `regionendpoint` does not say.' },
  skipVerify: { kind: toggle, default: undefined, defaultText: 'false', doc: 'Believe any certificate.' },
  chunkSize: { kind: size(5 * MIB), default: undefined, defaultText: '10MiB', doc: 'Of the pieces in which uploads are sent, 5MiB at least.' },
  multipartCopyChunkSize: { kind: size(5 * MIB), default: undefined, defaultText: '32MiB', doc: 'Parts in which large objects are copied.' },
  multipartCopyMaxConcurrency: { kind: integer('<number>', 1, 10_000), default: undefined, defaultText: '100', doc: '… at a time.' },
  multipartCopyThresholdSize: { kind: size(0), default: undefined, defaultText: '32MiB', doc: '… and which count as large.' },
  rootDirectory: { kind: urlPart, default: undefined, defaultText: 'none: the bucket is Disco\'s alone', doc: 'What all keys begin with.' },
  userAgent: { kind: text, default: undefined, doc: 'Told with each request.' },
}

const S3_SHAPE: Shape<BucketConfig> = {
  ...R2_SHAPE,
  encrypt: { kind: toggle, default: undefined, defaultText: 'false', doc: 'Encrypted by the server.' },
  keyId: { kind: text, default: undefined, doc: '… with this key of its KMS; with `encrypt: true` alone.' },
  storageClass: { kind: text, default: undefined, defaultText: '`STANDARD`', doc: '`NONE` where the server knows no classes.' },
  objectAcl: { kind: text, default: undefined, defaultText: '`private`', doc: 'Who else may use the objects, by a canned ACL.' },
  useDualStack: { kind: toggle, default: undefined, defaultText: 'false', doc: 'Amazon\'s endpoint for IPv6 as well.' },
  accelerate: { kind: toggle, default: undefined, defaultText: 'false', doc: 'Amazon\'s accelerated endpoint.' },
  useFipsEndpoint: { kind: toggle, default: undefined, defaultText: 'false', doc: 'Amazon\'s endpoint by FIPS 140.' },
}

export function s3Bucket(key: string): Kind<BucketConfig | undefined> {
  return bucket(key, S3_SHAPE)
}

export function r2Bucket(key: string): Kind<R2Config | undefined> {
  return bucket(key, R2_SHAPE)
}

/** Naming it chooses it, with nothing below it too: then its name is missing. */
export function bucket<T extends object>(key: string, shape: Shape<T>, driver: Driver = S3_DRIVER): Kind<T | undefined> {
  const kind = fields<T>(shape)
  return {
    ...kind,
    presence: true,
    read: (raw) => {
      const problems = isRawMap(raw.content) ? refusedIn(raw.content, driver) : []
      try {
        const value = kind.read(withoutNothing(raw, driver))
        if (problems.length === 0) return value
      } catch (error) {
        // What is missing stands nowhere but in the name of the whole, which `storage: s3` does not spell out.
        problems.push(...problemsAt(raw.where, error).map(({ where, reason }) => ({ where, reason: where === raw.where ? `${key}: ${reason}` : reason })))
      }
      throw new ConfigError(problems)
    },
    accept: (value) => (value === undefined ? undefined : kind.accept(value)),
    write: (value) => (value === undefined ? undefined : kind.write(value)),
  }
}

function refusedIn(keys: RawMap, { refused }: Driver): ConfigProblem[] {
  return Object.entries(refused).flatMap(([key, reasonFor]) => {
    const { where = '', content = '' } = keys.get(key) ?? {}
    const reason = typeof content === 'string' ? reasonFor(content) : undefined
    return reason === undefined ? [] : [{ where, reason }]
  })
}

/** Without keys that say nothing: those of Distribution's examples may be empty. */
function withoutNothing(raw: Raw, { leftOut }: Driver): Raw {
  const { where, content } = raw
  if (content !== undefined && content !== '' && !isRawMap(content)) return raw
  const keys: RawMap = isRawMap(content) ? content : new Map()
  return { where, content: new Map([...keys].filter(([key, { content: said }]) => said !== '' && !leftOut.has(key))) }
}
