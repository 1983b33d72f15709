import { hash, createHmac } from 'node:crypto'
import { GetObjectCommand, HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'

/** A key for which the SDK makes a URL, of which those of others are made. */
const KEY = 'key'
/** For so long, in milliseconds. */
const GOOD_FOR = 15 * 60_000
/** The one way to sign that is known here. */
const ALGORITHM = 'AWS4-HMAC-SHA256'
const SIGNATURE = 'X-Amz-Signature'

export type ReadMethod = 'GET' | 'HEAD'

/** What the URLs of a bucket have in common. */
interface Template {
  readonly origin: string
  readonly host: string
  /** Of the path. */
  readonly before: string
  readonly parameters: readonly (readonly [string, string])[]
  /** Whether what is signed here has the signature that the SDK gives it. */
  readonly understood: boolean
  readonly until: number
}

/**
 * URLs under which an object can be had without a key. The SDK says how those of a bucket look, which takes it a
 * millisecond each; the next ones are made alike, at a tenth of that. Where ours would not be what the SDK makes, as with
 * other ways to sign, the SDK makes them all.
 */
export class SignedUrls {
  readonly #client: S3Client
  readonly #bucket: string
  readonly #templates = new Map<ReadMethod, Promise<Template>>()
  #key: { readonly of: string; readonly bytes: Buffer } | undefined

  constructor(client: S3Client, bucket: string) {
    this.#client = client
    this.#bucket = bucket
  }

  /** @param seconds that it is good for */
  async of(method: ReadMethod, key: string, seconds: number): Promise<string> {
    const credentials = await this.#client.config.credentials()
    const { origin, host, before, parameters, understood } = await this.#template(method, credentials)
    if (!understood) return this.#bySdk(method, key, seconds)
    const date = new Date(Date.now() + this.#client.config.systemClockOffset).toISOString().replace(/[-:]|\.\d+/g, '')
    const path = `${before}${key.split('/').map(encoded).join('/')}`
    const changed = new Map([['X-Amz-Date', date], ['X-Amz-Expires', String(seconds)]])
    const query = parameters.map(([name, value]): readonly [string, string] => {
      if (name === 'X-Amz-Credential') return [name, value.replace(/\/\d{8}\//, `/${date.slice(0, 8)}/`)]
      return [name, changed.get(name) ?? value]
    })
    return `${origin}${path}?${queryOf([...query, [SIGNATURE, this.#signature(method, host, path, query, credentials.secretAccessKey)]])}`
  }

  #bySdk(method: ReadMethod, key: string, seconds: number): Promise<string> {
    const input = { Bucket: this.#bucket, Key: key }
    return getSignedUrl(this.#client, method === 'GET' ? new GetObjectCommand(input) : new HeadObjectCommand(input), { expiresIn: seconds })
  }

  async #template(method: ReadMethod, credentials: Credentials): Promise<Template> {
    const known = await this.#templates.get(method)?.catch(() => undefined)
    if (known !== undefined && performance.now() < known.until && (!known.understood || isOf(known, credentials))) return known
    const made = this.#make(method, credentials)
    this.#templates.set(method, made)
    return made
  }

  async #make(method: ReadMethod, { secretAccessKey }: Credentials): Promise<Template> {
    const { origin, host, pathname, searchParams } = new URL(await this.#bySdk(method, KEY, 1))
    const parameters = [...searchParams].filter(([name]) => name !== SIGNATURE)
    const signature = this.#signature(method, host, pathname, parameters, secretAccessKey)
    const understood = pathname.endsWith(`/${KEY}`) && searchParams.get('X-Amz-Algorithm') === ALGORITHM && searchParams.get(SIGNATURE) === signature
    return { origin, host, before: pathname.slice(0, -KEY.length), parameters, understood, until: performance.now() + GOOD_FOR }
  }

  /** Amazon's "Authenticating Requests: Using Query Parameters", of a request with the header `host` alone. */
  #signature(method: ReadMethod, host: string, path: string, parameters: Template['parameters'], secret: string): string {
    const of = (name: string): string => parameters.find(([found]) => found === name)?.[1] ?? ''
    const scope = of('X-Amz-Credential').split('/').slice(-4)
    const request = [method, path, queryOf(parameters), `host:${host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join('\n')
    const text = [ALGORITHM, of('X-Amz-Date'), scope.join('/'), hash('sha256', request)].join('\n')
    return hmac(this.#signingKey(scope, secret), text).toString('hex')
  }

  #signingKey(scope: readonly string[], secret: string): Buffer {
    const of = [secret, ...scope].join('\n')
    if (this.#key?.of !== of) this.#key = { of, bytes: scope.reduce(hmac, Buffer.from(`AWS4${secret}`)) }
    return this.#key.bytes
  }
}

interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** Credentials of a role change. */
function isOf({ parameters }: Template, { accessKeyId, sessionToken }: Credentials): boolean {
  const of = (name: string): string | undefined => parameters.find(([found]) => found === name)?.[1]
  return of('X-Amz-Credential')?.startsWith(`${accessKeyId}/`) === true && of('X-Amz-Security-Token') === sessionToken
}

function queryOf(parameters: Template['parameters']): string {
  return parameters.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).toSorted().join('&')
}

/** RFC 3986: everything but what is unreserved. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
