import assert from 'node:assert/strict'
import type { PushAttempt } from '../../../crash/push-attempt.ts'
import { CID_HEADER, digestOf, expectStatus, type UploadState } from '../../harness/registry-client.ts'
import { PassingError, type PatientClient } from './patient-client.ts'

const CHUNK = 1_500_000
const PIECE = 32 * 1024
const WAYS = ['chunked', 'streamed', 'whole'] as const

/** Pushes as docker does: all blobs at once, each begun anew when it fails; here some in chunks, some in one stream, some whole. */
export async function pushPatiently(client: PatientClient, attempt: PushAttempt, signal?: AbortSignal): Promise<string> {
  const { name, tag, image } = attempt
  // Whatever a session says that it is: the next one is new.
  const passes = (): boolean => signal?.aborted !== true
  await Promise.all(image.blobs.map((blob, number) => client.persist(() => pushBlob(client, name, blob, WAYS[number % WAYS.length] ?? 'whole', signal), passes)))
  const init: RequestInit = { body: image.manifest, headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }, signal: signal ?? null }
  const answer = await client.persist(async () => expectStatus(await client.request('PUT', `/v2/${name}/manifests/${tag}`, init), 201))
  const cid = answer.headers.get(CID_HEADER)
  assert.ok(cid, `the answer to a push has ${CID_HEADER}`)
  attempt.cid = cid
  return cid
}

async function pushBlob(client: PatientClient, name: string, blob: Buffer<ArrayBuffer>, way: (typeof WAYS)[number], signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  const digest = digestOf(blob)
  if ((await client.request('HEAD', `/v2/${name}/blobs/${digest}`)).status === 200) return
  let state = await client.startUpload(name)
  if (way === 'streamed') {
    const init = { body: ReadableStream.from(pieces(blob)), duplex: 'half', headers: { 'content-type': 'application/octet-stream' }, signal: signal ?? null } as RequestInit
    const answer = expectStatus(await client.request('PATCH', state.location, init), 202)
    state = { location: answer.headers.get('location') ?? state.location, size: blob.length }
  }
  if (way === 'chunked') {
    while (state.size < blob.length) {
      signal?.throwIfAborted()
      state = await patched(client, state, blob)
    }
  }
  await client.finishUpload(state, digest, blob.subarray(state.size))
}

/** A chunk more. What got lost is asked for: the next replica goes on with what came, unless the last one is still thought to be at it. */
async function patched(client: PatientClient, state: UploadState, blob: Buffer<ArrayBuffer>): Promise<UploadState> {
  try {
    return await client.patchUpload(state, blob.subarray(state.size, state.size + CHUNK))
  } catch (error) {
    const found = error instanceof PassingError ? await client.upload(state.location) : undefined
    if (found === undefined) throw error
    assert.ok(found.size >= state.size, `${state.size} bytes were acknowledged, ${found.size} are here`)
    return await client.patchUpload(found, blob.subarray(found.size, found.size + CHUNK))
  }
}

async function* pieces(blob: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < blob.length; at += PIECE) yield blob.subarray(at, at + PIECE)
}
