import { variablesOf } from '../config/environment.ts'
import { WITHOUT_TLS } from '../storage/bucket/fault.ts'
import { endpointOf, hasScheme } from '../storage/bucket/s3/options.ts'
import type { BucketChoice } from './bucket.ts'

/** Where keys of the bucket are said, for people. */
type See = (key: string) => string

/** What may help, by the codes and words of servers and clients. */
const ADVICE: readonly (readonly [code: string, advice: (see: See, choice: BucketChoice) => string])[] = [
  ['NoSuchBucket', () => 'make it first'],
  ['AccessDenied', () => 'the key may not list, read and write it'],
  ['InvalidAccessKeyId', (see) => `see ${see('accesskey')}, and whose it is`],
  // versitygw's word for it
  ['XAdminUserNotFound', (see) => `see ${see('accesskey')}, and whose it is`],
  ['SignatureDoesNotMatch', (see) => `see ${see('secretkey')}`],
  ['ExpiredToken', (see) => `see ${see('sessiontoken')}`],
  ['InvalidToken', (see) => `see ${see('sessiontoken')}`],
  ['CredentialsProviderError', () => 'name accesskey and secretkey, or give the machine a role'],
  ['PermanentRedirect', regionAdvice],
  ['AuthorizationHeaderMalformed', regionAdvice],
  ['ContainerNotFound', () => 'make it first'],
  ['AuthenticationFailed', (see) => `see ${see('accountname')} and ${see('accountkey')}`],
  ['AuthorizationFailure', (see) => `see ${see('accountname')} and ${see('accountkey')}, and whom its firewall lets in`],
  ['AuthorizationPermissionMismatch', () => 'it needs the role Storage Blob Data Contributor'],
  ['notFound (404)', () => 'make it first'],
  ['Could not load the default credentials', () => 'name keyfile, or give the machine an account'],
  ['invalid_grant', (see) => `see ${see('keyfile')}`],
  [WITHOUT_TLS, (_, choice) => `it has no TLS there: write ${(endpointAt(choice) ?? '').replace(/^https/i, 'http')} at ${choice.key}.${ENDPOINTS[choice.driver]}`],
]

const ENDPOINTS = { s3: 'regionendpoint', r2: 'regionendpoint', gcs: 'endpoint', azure: 'serviceurl' } as const
/** What lets in, where none of it is configured. */
const LOGIN: ReadonlySet<string> = new Set(['accesskey', 'secretkey', 'sessiontoken'])

/** What whoever started Disco may do about a bucket that is not to be used, if anything is known. */
export function adviceFor(choice: BucketChoice, reason: Error): string | undefined {
  const advice = ADVICE.find(([code]) => reason.name === code || reason.message.includes(code))?.[1]
  return advice === undefined ? schemeAdvice(choice, reason) : advice((key) => whereSaid(choice, key), choice)
}

function regionAdvice(see: See, { key, driver }: BucketChoice): string {
  return driver === 'r2' ? `${key} is for R2, whose region is always auto: for another server name ${key.replace(/r2$/, 's3')}` : `see ${see('region')}`
}

function whereSaid(choice: BucketChoice, key: string): string {
  if (isOnS3(choice) && choice.bucket.accessKey === undefined && LOGIN.has(key)) return "AWS_ACCESS_KEY_ID, ~/.aws or the machine's role"
  const at = `${choice.key}.${key}`
  return `${at} (in the environment ${variablesOf(at).join(' or ')})`
}

function endpointAt({ driver, bucket }: BucketChoice): string | undefined {
  if (driver === 'gcs') return bucket.endpoint
  return driver === 'azure' ? bucket.serviceUrl : endpointOf(bucket)
}

/** Where nobody answers, it may be for what was left to be guessed. */
function schemeAdvice(choice: BucketChoice, { message }: Error): string | undefined {
  if (!isOnS3(choice)) return undefined
  const { regionEndpoint, secure } = choice.bucket
  if (regionEndpoint === undefined || hasScheme(regionEndpoint) || secure !== undefined || /\(\d{3}\)/.test(message)) return undefined
  return `${choice.key}.regionendpoint has no scheme, and https is meant: write http://${regionEndpoint} for a server without TLS`
}

function isOnS3(choice: BucketChoice): choice is Extract<BucketChoice, { readonly driver: 's3' | 'r2' }> {
  return choice.driver === 's3' || choice.driver === 'r2'
}
