import { createHash } from 'node:crypto'

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const MANIFEST_TYPES = [
  OCI_MANIFEST,
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ')

/** The header of a push's answer that tells the image's CID. */
export const CID_HEADER = 'disco-cid'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
}

export interface UploadState {
  readonly location: string
  /** Bytes that the server says it has. */
  readonly size: number
}

/** `sha256:…` of bytes. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

export function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1)
}

/** The distribution-spec, as plainly as it can be spoken: every answer is given back, whatever its status. */
export class RegistryClient {
  readonly url: string
  readonly #authorization: string | undefined

  /** @param authorization of every request, where the registry wants one */
  constructor(url: string, authorization?: string) {
    this.url = url
    this.#authorization = authorization
  }

  async request(method: string, path: string, init: RequestInit = {}): Promise<Answer> {
    const headers = new Headers(init.headers)
    if (this.#authorization !== undefined) headers.set('authorization', this.#authorization)
    const response = await fetch(new URL(path, this.url), { method, redirect: 'manual', ...init, headers })
    return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) }
  }

  manifest(name: string, reference: string, method: 'GET' | 'HEAD' = 'GET'): Promise<Answer> {
    return this.request(method, `/v2/${name}/manifests/${reference}`, { headers: { accept: MANIFEST_TYPES } })
  }

  blob(name: string, digest: string): Promise<Answer> {
    return this.request('GET', `/v2/${name}/blobs/${digest}`)
  }

  putManifest(name: string, reference: string, bytes: Uint8Array<ArrayBuffer>, type: string = OCI_MANIFEST): Promise<Answer> {
    return this.request('PUT', `/v2/${name}/manifests/${reference}`, { body: bytes, headers: { 'content-type': type } })
  }

  /** @throws Error when the registry has the name and does not list its tags */
  async tags(name: string): Promise<string[] | undefined> {
    const answer = expectStatus(await this.request('GET', `/v2/${name}/tags/list`), 200, 404)
    return answer.status === 404 ? undefined : (JSON.parse(answer.bytes.toString()) as { tags: string[] }).tags
  }

  /** The digests of what refers to a manifest. */
  async referrers(name: string, digest: string): Promise<string[]> {
    const answer = expectStatus(await this.request('GET', `/v2/${name}/referrers/${digest}`), 200)
    return (JSON.parse(answer.bytes.toString()) as { manifests: { digest: string }[] }).manifests.map((manifest) => manifest.digest)
  }

  async startUpload(name: string): Promise<UploadState> {
    return this.#state(expectStatus(await this.request('POST', `/v2/${name}/blobs/uploads/`), 202))
  }

  /** The state of an upload, or undefined when the registry knows it no more. */
  async upload(location: string): Promise<UploadState | undefined> {
    const answer = expectStatus(await this.request('GET', location), 204, 404)
    return answer.status === 404 ? undefined : this.#state(answer, location)
  }

  async patchUpload(state: UploadState, chunk: Uint8Array<ArrayBuffer>): Promise<UploadState> {
    const headers = {
      'content-type': 'application/octet-stream',
      'content-range': `${state.size}-${state.size + chunk.length - 1}`,
    }
    return this.#state(expectStatus(await this.request('PATCH', state.location, { body: chunk, headers }), 202))
  }

  async finishUpload(state: UploadState, digest: string, rest: Uint8Array<ArrayBuffer> = new Uint8Array(0)): Promise<void> {
    const url = new URL(state.location, this.url)
    url.searchParams.set('digest', digest)
    const headers = { 'content-type': 'application/octet-stream' }
    expectStatus(await this.request('PUT', url.href, { headers, ...(rest.length === 0 ? {} : { body: rest }) }), 201)
  }

  /** distribution-spec: `Range: 0-<end>` names the last byte received; of an empty upload there is none. */
  #state(answer: Answer, known?: string): UploadState {
    const end = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers.get('range') ?? '')?.[1]
    const location = answer.headers.get('location') ?? known
    if (location === undefined) throw new Error('no Location in the answer')
    const size = end === undefined || end === '0' ? 0 : Number(end) + 1
    return { location, size }
  }
}

/** @throws Error with what the registry said, when the status is none of `statuses` */
export function expectStatus(answer: Answer, ...statuses: readonly number[]): Answer {
  if (statuses.includes(answer.status)) return answer
  throw new Error(`status ${answer.status}, not ${statuses.join(' or ')}: ${answer.bytes.toString().slice(0, 500)}`)
}
