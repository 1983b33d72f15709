import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RegistryClient} from './registry-client.ts';
import { digestOf, hexOf } from './registry-client.ts'

interface Descriptor {
  readonly digest: string
  readonly size: number
}

interface ManifestJson {
  readonly config?: Descriptor
  readonly layers?: readonly Descriptor[]
  readonly manifests?: readonly Descriptor[]
}

/**
 * Asserts that an image is there under a name, whole: its manifest has the digest, every child manifest and every blob
 * answers, with the bytes that its digest names.
 */
export async function assertComplete(client: RegistryClient, name: string, reference: string, digest: string): Promise<void> {
  const place = `${client.url}/v2/${name}/…${reference}`
  const answer = await client.manifest(name, reference)
  assert.equal(answer.status, 200, `${place}: ${answer.bytes.toString().slice(0, 300)}`)
  assert.equal(digestOf(answer.bytes), digest, `${place}: the manifest's bytes`)
  assert.equal(answer.headers.get('docker-content-digest'), digest, `${place}: Docker-Content-Digest`)
  const { config, layers = [], manifests = [] } = JSON.parse(answer.bytes.toString()) as ManifestJson
  for (const child of manifests) await assertComplete(client, name, child.digest, child.digest)
  for (const blob of [...(config === undefined ? [] : [config]), ...layers]) {
    const got = await client.blob(name, blob.digest)
    assert.equal(got.status, 200, `${place}: blob ${blob.digest}: ${got.bytes.toString('utf8', 0, 300)}`)
    assert.equal(got.bytes.length, blob.size, `${place}: size of blob ${blob.digest}`)
    assert.equal(digestOf(got.bytes), blob.digest, `${place}: bytes of blob ${blob.digest}`)
  }
}

/** Asserts that an image is whole under each of its global names: `<CID>`, `<digest hex>` and `<digest hex>:<CID>`. */
export async function assertGlobal(client: RegistryClient, digest: string, cid: string): Promise<void> {
  await assertComplete(client, cid, 'latest', digest)
  await assertComplete(client, cid, digest, digest)
  await assertComplete(client, hexOf(digest), cid, digest)
  await assertComplete(client, hexOf(digest), digest, digest)
  assert.ok((await client.tags(hexOf(digest)))?.includes(cid), `${client.url}: ${hexOf(digest)} lists the tag ${cid}`)
}

/** On a bucket, whoever lands after one that was killed waits until its locks have run out, which takes twenty seconds. */
const LANDING_MS = 40_000

/**
 * Pulls an image by its CID from a server that has to clone it, and asserts that it is global there afterwards. The last
 * byte may come before the clone has been stored, so its other names have a moment.
 */
export async function assertClonable(client: RegistryClient, digest: string, cid: string): Promise<void> {
  await assertComplete(client, cid, 'latest', digest)
  const deadline = Date.now() + LANDING_MS
  while (Date.now() < deadline && (await client.manifest(hexOf(digest), cid)).status !== 200) await sleep(50)
  await assertGlobal(client, digest, cid)
}

/** The CID of an image, as the tags of its digest repository tell it. */
export async function cidByTags(client: RegistryClient, digest: string): Promise<string> {
  const cid = (await client.tags(hexOf(digest)))?.find((tag) => tag.startsWith('bafy'))
  assert.ok(cid !== undefined, `${client.url}: ${hexOf(digest)} has a tag that is a CID`)
  return cid
}
