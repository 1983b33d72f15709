import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'

export interface Ask {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
}

export const IMAGE = 'application/vnd.oci.image.manifest.v1+json'
export const INDEX = 'application/vnd.oci.image.index.v1+json'
export const CONFIG = 'application/vnd.oci.image.config.v1+json'
export const LAYER = 'application/vnd.oci.image.layer.v1.tar'

export interface Content {
  readonly bytes: Buffer
  readonly digest: string
}

export function content(bytes: Buffer | string, algorithm: 'sha256' | 'sha512' = 'sha256'): Content {
  const all = Buffer.from(bytes)
  return { bytes: all, digest: `${algorithm}:${createHash(algorithm).update(all).digest('hex')}` }
}

export function randomContent(size = 100, algorithm?: 'sha256' | 'sha512'): Content {
  return content(randomBytes(size), algorithm)
}

export interface ImageOptions {
  readonly config?: Content
  readonly configType?: string
  readonly layers?: readonly Content[]
  readonly algorithm?: 'sha256' | 'sha512'
  /** More members of the manifest: `subject`, `artifactType`, `annotations`. */
  readonly more?: Readonly<Record<string, unknown>>
}

export function descriptor(mediaType: string, { digest, bytes }: Content): Record<string, unknown> {
  return { mediaType, digest, size: bytes.length }
}

/** Speaks to one repository as the specification says, over a real socket. */
export class Repository {
  readonly base: string
  readonly name: string

  constructor(base: string, name: string) {
    this.base = base
    this.name = name
  }

  /** @param path below `/v2/<name>`, or what a `Location` says */
  async ask(path: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Answered> {
    const url = path.startsWith('/') ? new URL(path, this.base) : new URL(`/v2/${this.name}/${path}`, this.base)
    const response = await fetch(url, { method, headers, redirect: 'manual', ...(body === undefined ? {} : { body: Buffer.from(body) }) })
    return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) }
  }

  /** Begins an upload; gives its location. */
  async begin(query = ''): Promise<string> {
    const { status, headers } = await this.ask(`blobs/uploads/${query}`, { method: 'POST' })
    assert.equal(status, 202)
    return location(headers)
  }

  async pushBlob(blob: Content): Promise<Content> {
    const { status } = await this.ask(withQuery(await this.begin(), { digest: blob.digest }), { method: 'PUT', body: blob.bytes })
    assert.equal(status, 201)
    return blob
  }

  /** A manifest whose blobs are pushed, without the manifest itself. */
  async image({ config = content('{}'), configType = CONFIG, layers = [randomContent()], algorithm, more = {} }: ImageOptions = {}): Promise<Content> {
    for (const blob of [config, ...layers]) await this.pushBlob(blob)
    return content(JSON.stringify({
      schemaVersion: 2, mediaType: IMAGE, config: descriptor(configType, config), layers: layers.map((layer) => descriptor(LAYER, layer)), ...more,
    }), algorithm)
  }

  async putManifest({ bytes }: Content, reference: string, type: string = IMAGE): Promise<Answered> {
    return await this.ask(`manifests/${reference}`, { method: 'PUT', headers: { 'Content-Type': type }, body: bytes })
  }

  async pushImage(reference: string | undefined, options?: ImageOptions): Promise<Content> {
    const image = await this.image(options)
    const { status, bytes } = await this.putManifest(image, reference ?? image.digest)
    assert.equal(status, 201, bytes.toString())
    return image
  }

  async pushIndex(reference: string | undefined, manifests: readonly Content[], more: Readonly<Record<string, unknown>> = {}): Promise<Content> {
    const index = content(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: manifests.map((manifest) => descriptor(IMAGE, manifest)), ...more }))
    const { status, bytes } = await this.putManifest(index, reference ?? index.digest, INDEX)
    assert.equal(status, 201, bytes.toString())
    return index
  }

  async tags(query = ''): Promise<{ readonly tags: string[]; readonly link: string | null }> {
    const { status, headers, bytes } = await this.ask(`tags/list${query}`)
    assert.equal(status, 200)
    return { tags: (JSON.parse(bytes.toString()) as { tags: string[] }).tags, link: headers.get('link') }
  }

  async referrers(digest: string, query = ''): Promise<{ readonly headers: Headers; readonly manifests: Record<string, unknown>[] }> {
    const { status, headers, bytes } = await this.ask(`referrers/${digest}${query}`)
    assert.equal(status, 200)
    return { headers, manifests: (JSON.parse(bytes.toString()) as { manifests: Record<string, unknown>[] }).manifests }
  }
}

export function location(headers: Headers): string {
  const value = headers.get('location')
  assert.ok(value !== null, 'no Location')
  return value
}

/** Adds to the query of a location, whatever is there already. */
export function withQuery(path: string, query: Readonly<Record<string, string>>): string {
  const url = new URL(path, 'http://registry')
  for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value)
  return url.pathname + url.search
}

/** RFC 5988: where a list goes on. */
export function nextPage(link: string | null): string {
  const target = /^<([^>]+)>;\s*rel="?next"?$/.exec(link ?? '')?.[1]
  assert.ok(target !== undefined, `no next page in ${link}`)
  return target
}

export function codesOf({ bytes }: Answered): string[] {
  return (JSON.parse(bytes.toString()) as { errors: { code: string }[] }).errors.map(({ code }) => code)
}
