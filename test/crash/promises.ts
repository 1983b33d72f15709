import assert from 'node:assert/strict'
import type { RegistryClient} from '../e2e/harness/registry-client.ts';
import { expectStatus, hexOf } from '../e2e/harness/registry-client.ts'
import { assertComplete, assertGlobal, cidByTags } from '../e2e/harness/verify.ts'
import type { PushAttempt } from './push-attempt.ts'

/**
 * Asserts what must hold after any crash: an image whose push was acknowledged is whole and global; of any other, a name
 * that answers has all of it, and either all of its global names answer or none.
 *
 * @returns whether the image is global
 */
export async function assertPromises(client: RegistryClient, { name, tag, image, cid }: PushAttempt): Promise<boolean> {
  const { digest } = image
  if (cid !== undefined) assert.equal(await cidByTags(client, digest), cid)
  const isGlobal = (await answers(client, hexOf(digest), digest)) || (await answers(client, hexOf(digest), 'latest'))
  if (isGlobal) await assertGlobal(client, digest, await cidByTags(client, digest))
  else assert.equal(await client.tags(hexOf(digest)), undefined, 'the digest repository is not half there')

  const latest = await answers(client, name, 'latest')
  assert.equal(latest, false, '`latest` goes in the moment that makes the image global')
  if (tag !== 'latest') {
    const tagged = await answers(client, name, tag)
    if (cid !== undefined) assert.ok(tagged, `${name}:${tag} was acknowledged`)
    if (tagged) {
      assert.ok(isGlobal, `${name}:${tag} answers, so the image is global`)
      await assertComplete(client, name, tag, digest)
    }
  }
  if (await answers(client, name, digest)) await assertComplete(client, name, digest, digest)
  return isGlobal
}

/** Whether a name is there. Anything but yes and no is a failure. */
export async function answers(client: RegistryClient, name: string, reference: string): Promise<boolean> {
  return expectStatus(await client.manifest(name, reference), 200, 404).status === 200
}
