import assert from 'node:assert/strict'
import type { RegistryClient} from '../e2e/harness/registry-client.ts';
import { CID_HEADER, digestOf, expectStatus, type UploadState } from '../e2e/harness/registry-client.ts'
import type { RandomImage } from './random-image.ts'

/** A push that may be cut short, and what it was told until then. */
export interface PushAttempt {
  readonly name: string
  readonly tag: string
  readonly image: RandomImage
  /** By the number of the blob: the last state that the server has acknowledged of an upload not known to be finished. */
  readonly uploads: Map<number, UploadState>
  /** Told by the 201 that answered the manifest; undefined without that answer. */
  cid?: string
}

export function pushAttempt(name: string, tag: string, image: RandomImage): PushAttempt {
  return { name, tag, image, uploads: new Map() }
}

const CHUNK = 700_000

/** Pushes all blobs at once, every other one in chunks, then the manifest. Rejects when the server dies meanwhile. */
export async function push(client: RegistryClient, attempt: PushAttempt): Promise<void> {
  const { name, tag, image, uploads } = attempt
  const results = await Promise.allSettled(image.blobs.map((_, number) => pushBlob(client, attempt, number)))
  for (const result of results) if (result.status === 'rejected') throw result.reason
  const answer = expectStatus(await client.putManifest(name, tag, image.manifest), 201)
  const cid = answer.headers.get(CID_HEADER)
  assert.ok(cid, `the answer to a push has ${CID_HEADER}`)
  attempt.cid = cid
  uploads.clear()
}

async function pushBlob(client: RegistryClient, { name, image, uploads }: PushAttempt, number: number): Promise<void> {
  const blob = image.blobs[number] ?? assert.fail()
  let state = await client.startUpload(name)
  uploads.set(number, state)
  if (number % 2 === 0) {
    while (state.size < blob.length) {
      state = await client.patchUpload(state, blob.subarray(state.size, state.size + CHUNK))
      uploads.set(number, state)
    }
  }
  await client.finishUpload(state, digestOf(blob), blob.subarray(state.size))
  uploads.delete(number)
}

export interface Leftovers {
  /** Uploads that the server no longer knows. */
  readonly gone: number
  /** Uploads that went on where they had stopped, to the end. */
  readonly resumed: number
}

/**
 * Ends each upload that was cut short from where the server says that it stands.
 *
 * @param atLeast whether all that was acknowledged must still be there: after a crash of the server it must, after a
 *   loss of power it need not
 */
export async function resumeUploads(client: RegistryClient, attempt: PushAttempt, atLeast: boolean): Promise<Leftovers> {
  let gone = 0
  let resumed = 0
  for (const [number, acknowledged] of attempt.uploads) {
    const blob = attempt.image.blobs[number] ?? assert.fail()
    const found = await client.upload(acknowledged.location)
    if (found === undefined) {
      gone++
      continue
    }
    const told = `${acknowledged.size} bytes were acknowledged, ${found.size} are here`
    if (atLeast) assert.ok(found.size >= acknowledged.size, told)
    assert.ok(found.size <= blob.length)
    await client.finishUpload(found, digestOf(blob), blob.subarray(found.size))
    const answer = await client.blob(attempt.name, digestOf(blob))
    assert.ok(answer.bytes.equals(blob), 'a resumed upload has the right bytes')
    resumed++
  }
  attempt.uploads.clear()
  return { gone, resumed }
}
