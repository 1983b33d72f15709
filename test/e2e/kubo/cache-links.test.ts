import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { push, pushAttempt, type PushAttempt } from '../../crash/push-attempt.ts'
import { randomImage } from '../../crash/random-image.ts'
import { CachePlace, sharedPaths } from '../harness/cache-place.ts'
import type { DiscoServer } from '../harness/disco.ts'
import type { Kubo } from '../harness/kubo.ts'
import { RegistryClient, hexOf } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'
import { until } from '../harness/until.ts'
import { assertComplete } from '../harness/verify.ts'

const ROOT = 'docker/registry/v2/repositories'
const LATEST = '_manifests/tags/latest/current/link'

interface Image {
  readonly cid: string
  readonly digest: string
  readonly attempt: PushAttempt
}

describe('a cache whose links are not what their paths say', { timeout: 300_000 }, () => {
  let scene: Scene
  let kubo: Kubo
  let cache: CachePlace
  let server: DiscoServer
  let client: RegistryClient
  let image: Image
  let other: Image

  before(async () => {
    scene = await Scene.begin()
    kubo = await scene.kubo()
    cache = await CachePlace.directory(scene)
    await start()
    ;[image, other] = [await pushed(fresh('one')), await pushed(fresh('other'))]
  })
  after(() => scene.end())

  async function start(): Promise<void> {
    server = await scene.disco('data', { kubos: [kubo], args: ['--noclone'], env: cache.env })
    client = new RegistryClient(server.url)
  }

  async function pushed(attempt: PushAttempt): Promise<Image> {
    await push(client, attempt)
    const { cid = '', image: { digest } } = attempt
    await cache.assertHas(await sharedPaths(client, cid, digest))
    return { cid, digest, attempt }
  }
  const fresh = (seed: string): PushAttempt => pushAttempt(`links/${seed}`, 'latest', randomImage(`cache links ${seed}`))

  const namesOf = ({ cid, digest }: Image): string[] => [cid, hexOf(digest)]
  const revision = ({ digest }: Image): string => `_manifests/revisions/sha256/${hexOf(digest)}/link`
  const fileOf = (name: string, link: string): string => join(cache.files, ROOT, name, link)

  /** All that somebody would need for another image's name. */
  async function lie(name: string): Promise<void> {
    for (const link of [LATEST, revision(other)]) {
      await mkdir(dirname(fileOf(name, link)), { recursive: true })
      await writeFile(fileOf(name, link), other.digest)
    }
  }

  async function assertServed(name: string): Promise<void> {
    await assertComplete(client, name, 'latest', image.digest)
    assert.equal((await client.manifest(name, image.digest)).status, 200)
  }

  it('serves what IPFS has, and puts them right', async () => {
    for (const name of namesOf(image)) {
      for (const [link, wrong] of [[LATEST, other.digest], [LATEST, ''], [LATEST, '../../etc/passwd'], [LATEST, 'a'.repeat(40_000_000)], [revision(image), ''], [revision(image), other.digest]] as const) {
        if (wrong === other.digest && link === LATEST) await lie(name)
        else await writeFile(fileOf(name, link), wrong)
        // One pull may come while the repository is still put right after the one before.
        await until(async () => {
          await assertServed(name)
          return (await readFile(fileOf(name, link), 'utf8')) === image.digest
        }, { what: `${name}/${link} is put right` })
      }
    }
  })

  it('gives none of it to IPFS that has lost the image, until it is pushed again', async () => {
    // What it is still putting right would be right.
    await server.stop()
    for (const name of namesOf(image)) await lie(name)
    for (const name of namesOf(image)) await kubo.ipfs('files', 'rm', '-r', `/${ROOT}/${name}`)
    // To be seen to come back.
    await kubo.ipfs('files', 'rm', '-r', `/${ROOT}/${other.cid}`)
    await start()
    const isThere = (path: string): Promise<boolean> => kubo.ipfs('files', 'stat', '--hash', `/${ROOT}/${path}`).then(() => true, () => false)
    await until(() => isThere(`${other.cid}/${LATEST}`), { what: 'IPFS has what it had lost' })
    for (const name of namesOf(image)) {
      assert.equal((await client.manifest(name, 'latest')).status, 404)
      assert.equal(await isThere(name), false, `${name} in IPFS`)
    }
    assert.equal((await pushed(image.attempt)).cid, image.cid)
    for (const name of namesOf(image)) await assertServed(name)
  })
})
