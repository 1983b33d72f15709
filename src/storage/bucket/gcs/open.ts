import { readFileSync } from 'node:fs'
import { optionalPackage, type LoadPackage } from '../optional-package.ts'
import { GcsBucket } from './bucket.ts'
import { GcsOptionsError, settleGcs, type GcsOptions } from './options.ts'
import { GcsReads } from './reads.ts'
import type { GcsCredentials, GcsSdk } from './sdk.ts'

/** Without a byte either way, in milliseconds. */
const SILENCE = 15_000

/** @throws GcsOptionsError, PackageMissingError */
export function gcsBucket(options: GcsOptions, load: LoadPackage = optionalPackage): GcsBucket {
  const settled = settleGcs({ ...options, ...(options.keyFile === undefined ? {} : { credentials: keyIn(options.keyFile) }) })
  const { bucket, credentials, endpoint = 'https://storage.googleapis.com', userAgent = 'disco' } = settled
  const { Storage } = load('@google-cloud/storage') as GcsSdk
  const isSecure = endpoint.startsWith('https:')
  const storage = new Storage({
    timeout: SILENCE,
    // Tries are counted in one place, ours, which can send a stream anew as well.
    retryOptions: { autoRetry: false, maxRetries: 0 },
    apiEndpoint: endpoint,
    useAuthWithCustomEndpoint: isSecure,
    userAgent,
  })
  storage.authClient.jsonContent = credentials ?? null
  const auth = async (url: string): Promise<Iterable<readonly [string, string]>> => (isSecure ? storage.authClient.getRequestHeaders(url) : [])
  const reads = new GcsReads(auth, `${endpoint.replace(/\/+$/, '')}/storage/v1/b/${encodeURIComponent(bucket)}/o`, userAgent)
  return new GcsBucket(storage.bucket(bucket), reads, settled, credentials !== undefined)
}

function keyIn(file: string): GcsCredentials {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as GcsCredentials
  } catch (error) {
    throw new GcsOptionsError(`keyfile ${file}: ${error instanceof SyntaxError ? 'it is no JSON' : (error as Error).message}`)
  }
}
