import assert from 'node:assert/strict'
import type { DiscoServer } from '../e2e/harness/disco.ts'
import { RegistryClient, hexOf } from '../e2e/harness/registry-client.ts'
import { assertGlobal } from '../e2e/harness/verify.ts'
import { answers } from './promises.ts'
import { push, pushAttempt } from './push-attempt.ts'
import { randomImage, type RandomImage } from './random-image.ts'

/** Images by their CIDs. */
export type ImagesByCid = Map<string, RandomImage>

/** Pushes new images to a server. */
export async function pushNewImages(origin: DiscoServer, seed: string, count: number): Promise<ImagesByCid> {
  const images: ImagesByCid = new Map()
  for (let number = 0; number < count; number++) {
    const attempt = pushAttempt(`origin/${number}`, 'latest', randomImage(`${seed} ${number}`))
    await push(new RegistryClient(origin.url), attempt)
    images.set(attempt.cid ?? assert.fail(), attempt.image)
  }
  return images
}

/** Pulls images as clients do: the manifest, then its blobs at once. */
export async function pullAll(server: DiscoServer, cids: Iterable<string>): Promise<void> {
  const client = new RegistryClient(server.url)
  await Promise.all(
    [...cids].map(async (cid) => {
      const manifest = JSON.parse((await client.manifest(cid, 'latest')).bytes.toString()) as { layers: { digest: string }[] }
      await Promise.all(manifest.layers.map(({ digest }) => client.blob(cid, digest)))
    }),
  )
}

/**
 * Asserts that a server which has nobody to ask has an image whole, under each of its global names, or not at all.
 *
 * @returns whether it has it
 */
export async function assertWholeOrAbsent(server: DiscoServer, cid: string, digest: string): Promise<boolean> {
  const client = new RegistryClient(server.url)
  const isHere = await answers(client, cid, 'latest')
  for (const [name, reference] of [[cid, digest], [hexOf(digest), cid], [hexOf(digest), digest]] as const) {
    assert.equal(await answers(client, name, reference), isHere, `${name} ${reference}`)
  }
  if (isHere) await assertGlobal(client, digest, cid)
  return isHere
}
