import type { OutgoingHttpHeaders } from 'node:http'
import { ANYONE } from '../auth/authorizer.ts'
import { formatDigest, type Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { uploadRange } from '../oci/range.ts'
import { checkDigest } from '../registry/names.ts'
import type { Upload } from '../registry/registry.ts'
import type { Answer } from './answer.ts'
import { readChunk } from './chunk.ts'
import type { Exchange } from './exchange.ts'
import { blobLocation, uploadLocation } from './locations.ts'

/** end-4a, end-4b and end-11: POST begins an upload, is one, or makes one needless. */
export async function startUpload(exchange: Exchange): Promise<Answer> {
  const { registry, name, search, identity, signal } = exchange
  const query = new URLSearchParams(search)
  const mount = query.get('mount')
  if (mount !== null) {
    const source = { from: query.get('from') ?? undefined, mayPull: identity === ANYONE ? undefined : (repository: string) => identity.mayPull(repository) }
    const digest = await registry.mount(name, mount, source, { signal })
    if (digest !== undefined) return created(name, digest)
  }
  const digest = query.get('digest')
  if (digest !== null && mount === null) return await uploadAtOnce(exchange, digest)
  const algorithm = query.get('digest-algorithm')
  if (algorithm !== null && algorithm !== 'sha256' && algorithm !== 'sha512') {
    throw new RegistryError('DIGEST_INVALID', 'unsupported digest algorithm', { detail: { algorithm } })
  }
  const upload = await registry.startUpload(name, { signal })
  return { status: 202, headers: progress(name, upload) }
}

async function uploadAtOnce({ registry, name, body, signal }: Exchange, digest: string): Promise<Answer> {
  checkDigest(digest)
  const { id } = await registry.startUpload(name, { signal })
  try {
    await registry.appendUpload(name, id, 0, body, { signal })
    return created(name, await registry.finishUpload(name, id, digest, { signal }))
  } catch (error) {
    // The client was never told the id, so it cannot resume. What happened to the push matters more than a failed cleaning.
    await registry.cancelUpload(name, id).catch(() => {})
    throw error
  }
}

/** end-5: PATCH appends, at the place that `Content-Range` names or at the end. */
export async function appendUpload(exchange: Exchange): Promise<Answer> {
  const { name } = exchange
  return { status: 202, headers: progress(name, await append(exchange)) }
}

/** end-6: PUT appends the last chunk, if it brings one, and closes the upload. */
export async function finishUpload(exchange: Exchange): Promise<Answer> {
  const { registry, name, reference, search, body, headers, signal } = exchange
  const digest = new URLSearchParams(search).get('digest')
  if (digest === null) throw new RegistryError('DIGEST_INVALID', 'the query parameter digest is missing')
  checkDigest(digest)
  if (body.length !== 0 || headers['content-range'] !== undefined) await append(exchange)
  return created(name, await registry.finishUpload(name, reference, digest, { signal }))
}

/** end-13: where to go on. */
export async function uploadStatus({ registry, name, reference, signal }: Exchange): Promise<Answer> {
  return { status: 204, headers: progress(name, await registry.upload(name, reference, { signal })) }
}

/** end-14 */
export async function cancelUpload({ registry, name, reference, signal }: Exchange): Promise<Answer> {
  await registry.cancelUpload(name, reference, { signal })
  return { status: 204 }
}

async function append({ registry, name, reference, body, headers, signal }: Exchange): Promise<Upload> {
  const { offset, source } = readChunk(headers['content-range'], body)
  try {
    return await registry.appendUpload(name, reference, offset, source, { signal })
  } catch (error) {
    if (!(error instanceof RegistryError) || error.status !== 416) throw error
    const { message, detail, cause } = error
    throw new RegistryError(error.code, message, { status: error.status, detail, cause, headers: { ...error.headers, Location: uploadLocation(name, reference) } })
  }
}

function progress(name: string, { id, size }: Upload): OutgoingHttpHeaders {
  return { Location: uploadLocation(name, id), Range: uploadRange(size), 'Docker-Upload-UUID': id }
}

function created(name: string, digest: Digest): Answer {
  const text = formatDigest(digest)
  return { status: 201, headers: { Location: blobLocation(name, text), 'Docker-Content-Digest': text } }
}
