import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DiscoServer } from '../e2e/harness/disco.ts'
import { OCI_MANIFEST, RegistryClient, digestOf, expectStatus } from '../e2e/harness/registry-client.ts'
import { Scene } from '../e2e/harness/scene.ts'
import { answers } from './promises.ts'

const CRASHES = Math.ceil(Number(process.env['DISCO_TEST_CRASHES'] ?? 24) / 4)
const AT_ONCE = 12
const NAME = 'crash/deletes'
const CONFIG = Buffer.from('{}')

/** A manifest with two tags, and a signature of it; what was acknowledged of the signature's coming and the manifest's going. */
interface Attempt {
  readonly tags: readonly string[]
  readonly manifest: Buffer<ArrayBuffer>
  readonly signature: Buffer<ArrayBuffer>
  signed: boolean
  deleted: boolean
}

function manifestOf(seed: string, subject?: Buffer): Buffer<ArrayBuffer> {
  return Buffer.from(JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(CONFIG), size: CONFIG.length },
    layers: [],
    ...(subject === undefined ? {} : { subject: { mediaType: OCI_MANIFEST, digest: digestOf(subject), size: subject.length } }),
    annotations: { seed },
  }))
}

async function prepare(client: RegistryClient, seed: string): Promise<Attempt> {
  const manifest = manifestOf(seed)
  const tags = [`${seed}-a`, `${seed}-b`]
  for (const tag of tags) expectStatus(await client.putManifest(NAME, tag, manifest), 201)
  return { tags, manifest, signature: manifestOf(seed, manifest), signed: false, deleted: false }
}

/** Signs it and deletes it; rejects when the server dies meanwhile. */
async function signAndDelete(client: RegistryClient, attempt: Attempt): Promise<void> {
  expectStatus(await client.putManifest(NAME, digestOf(attempt.signature), attempt.signature), 201)
  attempt.signed = true
  expectStatus(await client.request('DELETE', `/v2/${NAME}/manifests/${digestOf(attempt.manifest)}`), 202)
  attempt.deleted = true
}

/** Returns whether the delete was cut off before it had an answer, and had happened. */
async function assertKept(client: RegistryClient, { tags, manifest, signature, signed, deleted }: Attempt): Promise<boolean> {
  const [digest, mark] = [digestOf(manifest), digestOf(signature)]
  const there = await answers(client, NAME, digest)
  const listed = (await client.tags(NAME)) ?? []
  for (const tag of tags) {
    assert.equal(await answers(client, NAME, tag), there, 'a manifest goes with its tags')
    assert.equal(listed.includes(tag), there)
  }
  assert.ok(!(deleted && there), 'what was deleted is gone')
  if (!signed) assert.ok(there, 'nobody deleted it')
  const listedBySubject = (await client.referrers(NAME, digest)).includes(mark)
  assert.equal(await answers(client, NAME, mark), listedBySubject, 'a signature is listed when it can be pulled')
  if (signed) assert.ok(listedBySubject, 'the signature was acknowledged')
  return !there && !deleted
}

for (const storage of ['the embedded store', 'files'] as const) {
  describe(`a server on ${storage}`, { timeout: 600_000 }, () => {
    let scene: Scene
    const start = (): Promise<DiscoServer> => scene.disco('deletes', {
      env: {
        REGISTRY_STORAGE_DELETE_ENABLED: 'true',
        ...(storage === 'files' ? { REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: join(scene.directory, 'deletes', 'tree') } : {}),
      },
    })

    before(async () => { scene = await Scene.begin() })
    after(() => scene.end())

    it(`that is killed ${CRASHES} times during signatures and deletes keeps its promises`, async (t) => {
      let server = await start()
      const first = new RegistryClient(server.url)
      await first.finishUpload(await first.startUpload(NAME), digestOf(CONFIG), CONFIG)
      const round = async (client: RegistryClient, seed: string): Promise<Attempt[]> => {
        const attempts: Attempt[] = []
        for (let number = 0; number < AT_ONCE; number++) attempts.push(await prepare(client, `${seed}-${number}`))
        return attempts
      }
      const warmUp = await round(first, 'warm-up')
      const begun = performance.now()
      await Promise.all(warmUp.map((attempt) => signAndDelete(first, attempt)))
      const longest = performance.now() - begun
      const counts = { deleted: 0, silentlyDeleted: 0, signed: 0 }

      const all: Attempt[] = []
      for (let crash = 0; crash < CRASHES; crash++) {
        const client = new RegistryClient(server.url)
        const attempts = await round(client, `round-${crash}`)
        all.push(...attempts)
        const working = Promise.allSettled(attempts.map((attempt) => signAndDelete(client, attempt)))
        // A server that has just started takes longer.
        await sleep(randomInt(0, Math.ceil(longest * 2)))
        await server.kill()
        await working

        server = await start()
        for (const attempt of all) {
          if (await assertKept(new RegistryClient(server.url), attempt)) counts.silentlyDeleted++
        }
      }
      for (const { deleted, signed } of all) {
        if (deleted) counts.deleted++
        if (signed) counts.signed++
      }
      t.diagnostic(JSON.stringify(counts))
      await server.stop()
    })
  })
}
