import { checked, choice, path, text, type Kind } from '../kinds.ts'
import { size } from '../measures.ts'
import { fields, mapOf, type Shape } from '../structures.ts'
import { checkServerUrl } from './addresses.ts'
import { bucket, urlPart, type Driver } from './bucket.ts'

/** A bucket of Google's, by the parameters of Distribution's `gcs` driver; sizes in bytes. What opens it knows the defaults. */
export interface GcsConfig {
  readonly bucket: string
  readonly keyFile?: string | undefined
  readonly credentials?: Readonly<Record<string, string>> | undefined
  readonly rootDirectory?: string | undefined
  readonly chunkSize?: number | undefined
  readonly userAgent?: string | undefined
  readonly endpoint?: string | undefined
}

/** A container of Azure's, by the parameters of Distribution's `azure` driver. */
export interface AzureConfig {
  readonly accountName: string
  readonly accountKey?: string | undefined
  readonly container: string
  readonly realm?: string | undefined
  readonly serviceUrl?: string | undefined
  readonly rootDirectory?: string | undefined
  readonly credentials?: AzureLogin | undefined
}

export interface AzureLogin {
  readonly type?: 'shared_key' | 'client_secret' | 'default_credentials' | undefined
  readonly clientId?: string | undefined
  readonly tenantId?: string | undefined
  readonly secret?: string | undefined
}

const KIB = 1024
const url = checked('<url>', checkServerUrl)

const GCS_SHAPE: Shape<GcsConfig> = {
  bucket: { kind: urlPart, doc: 'Its name. It has to be there.' },
  keyFile: { kind: path, default: undefined, defaultText: 'what `GOOGLE_APPLICATION_CREDENTIALS` or the machine\'s account say', doc: 'A service account\'s key, as Google gives it: a file with JSON.' },
  credentials: { kind: mapOf(text), default: undefined, defaultText: 'like `keyfile`', doc: 'What is in such a file. Never shown.' },
  rootDirectory: { kind: urlPart, default: undefined, defaultText: 'none: the bucket is Disco\'s alone', doc: 'What all names begin with.' },
  chunkSize: { kind: size(256 * KIB), default: undefined, defaultText: '16MiB', doc: 'Of the pieces in which uploads are sent, a multiple of 256KiB.' },
  userAgent: { kind: text, default: undefined, doc: 'Told with each request.' },
  endpoint: { kind: url, default: undefined, defaultText: 'Google\'s', doc: 'URL of another server, an emulator or a private endpoint. One without TLS is told no key.' },
}

const GCS_DRIVER: Driver = { leftOut: new Set(['maxconcurrency']), refused: {} }

const LOGIN_SHAPE: Shape<AzureLogin> = {
  type: { kind: choice('shared_key', 'client_secret', 'default_credentials'), default: undefined, defaultText: '`shared_key` with `accountkey`, else `default_credentials`', doc: 'How it logs in; the last two need `@azure/identity` too.' },
  clientId: { kind: text, default: undefined, doc: 'Of `client_secret`.' },
  tenantId: { kind: text, default: undefined, doc: 'Of `client_secret`.' },
  secret: { kind: text, default: undefined, doc: 'Of `client_secret`. Never shown.' },
}

const AZURE_SHAPE: Shape<AzureConfig> = {
  accountName: { kind: text, doc: 'Of the storage account.' },
  accountKey: { kind: text, default: undefined, doc: 'Its key. Without it clients are not sent to the container. Never shown.' },
  container: { kind: urlPart, doc: 'Its name. It has to be there.' },
  realm: { kind: text, default: undefined, defaultText: '`core.windows.net`', doc: 'Of the account\'s host: `<accountname>.blob.<realm>`.' },
  serviceUrl: { kind: url, default: undefined, defaultText: 'by `accountname` and `realm`', doc: 'URL of the account on another server, an emulator or a private endpoint.' },
  rootDirectory: { kind: urlPart, default: undefined, defaultText: 'none: the container is Disco\'s alone', doc: 'What all names begin with.' },
  credentials: { kind: fields(LOGIN_SHAPE), default: undefined, defaultText: 'the account\'s key', doc: 'Who asks, where it is not the account\'s key.' },
}

const AZURE_DRIVER: Driver = {
  // Disco has tries of its own, and its copies are done when they are answered.
  leftOut: new Set(['max_retries', 'retry_delay', 'copy_status_poll_max_retry', 'copy_status_poll_delay', 'skipverify', 'connectionstring']),
  refused: {
    skipverify: (value) => (value === 'true' ? 'skipverify is true, which is not supported: name the certificate by NODE_EXTRA_CA_CERTS' : undefined),
    connectionstring: (value) => (value === '' ? undefined : 'connectionstring is not supported: name accountname, accountkey and, of an emulator, serviceurl'),
  },
}

export function gcsBucket(key: string): Kind<GcsConfig | undefined> {
  return bucket(key, GCS_SHAPE, GCS_DRIVER)
}

export function azureContainer(key: string): Kind<AzureConfig | undefined> {
  return bucket(key, AZURE_SHAPE, AZURE_DRIVER)
}
