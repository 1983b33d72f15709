import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { push, pushAttempt } from '../../crash/push-attempt.ts'
import { randomImage } from '../../crash/random-image.ts'
import { CachePlace, sharedPaths } from '../harness/cache-place.ts'
import { run } from '../harness/command.ts'
import type { DiscoServer } from '../harness/disco.ts'
import { dockerPush, type Docker } from '../harness/docker.ts'
import { smallImage } from '../harness/images.ts'
import type { Kubo } from '../harness/kubo.ts'
import { RegistryClient, hexOf } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'
import { until } from '../harness/until.ts'
import { assertComplete, assertGlobal, cidByTags } from '../harness/verify.ts'

const LAYERS = [40_000, 1_500_000]
const ROOT = 'docker/registry/v2'
/** Of an image that nobody has. */
const UNKNOWN = 'bafybeielvnt5apaxbk6chthc4dc3p6vscpx3ai4uvti7gwh253j7facsxu'

interface Pushed {
  readonly digest: string
  readonly cid: string
  /** Below the tree's root: all of the image that both stores have. */
  readonly paths: readonly string[]
}

/** The cases that the original Disco's own end-to-end tests are about, each on another image. */
for (const [what, cacheOf] of [['a directory', CachePlace.directory], ['a bucket', CachePlace.bucket]] as const) {
  describe(`a cache in front of two Kubos: ${what}`, { timeout: 600_000 }, () => {
    let scene: Scene
    let kubos: readonly Kubo[]
    let cache: CachePlace
    let server: DiscoServer
    let client: RegistryClient
    let docker: Docker

    before(async () => {
      scene = await Scene.begin()
      const [one, two] = [await scene.kubo(), await scene.kubo()]
      await one.connect(two)
      kubos = [one, two]
      cache = await cacheOf(scene)
      server = await scene.disco('disco', { args: kubos.flatMap(({ url }) => ['--kubo', url]), env: { ...cache.env, DISCO_NOCLONE: 'true' } })
      client = new RegistryClient(server.url)
      docker = await scene.docker()
    })
    after(() => scene.end())

    async function load(seed: string): Promise<{ name: string; digest: string }> {
      const layout = join(scene.directory, seed)
      await smallImage(layout, { seed: `cache ${seed}`, layers: LAYERS })
      const name = `${server.host}/cached/${seed}:latest`
      await scene.load(docker, layout, 'small', name)
      return { name, digest: await dockerPush(docker, name) }
    }

    async function pushed(seed: string): Promise<Pushed & { name: string }> {
      const { name, digest } = await load(seed)
      const cid = await cidByTags(client, digest)
      const paths = await sharedPaths(client, cid, digest)
      await cache.assertHas(paths)
      return { name, digest, cid, paths }
    }

    async function pulled({ digest, cid }: Pushed): Promise<void> {
      await docker.docker('rmi', '-f', `${server.host}/${cid}`).catch(() => '')
      await docker.docker('pull', '-q', `${server.host}/${cid}`)
      await assertGlobal(client, digest, cid)
    }

    async function inIpfs(path: string): Promise<boolean> {
      const found = await Promise.all(kubos.map((kubo) => kubo.ipfs('files', 'stat', '--hash', `/${ROOT}/${path}`).then(() => true, () => false)))
      return found.includes(true)
    }
    async function assertInBoth({ paths }: Pushed): Promise<void> {
      for (const path of paths) assert.ok(await inIpfs(path), `${path} is in IPFS`)
      await cache.assertHas(paths)
    }
    async function purgeIpfs(): Promise<void> {
      for (const kubo of kubos) {
        await kubo.ipfs('files', 'rm', '-r', '--force', '/docker')
        await kubo.ipfs('repo', 'gc', '-q')
      }
    }

    it('has what is pushed, as the nodes do', async () => {
      const image = await pushed('push')
      await assertInBoth(image)
      await pulled(image)
    })

    it('serves an image that IPFS has lost', async () => {
      const image = await pushed('ipfs-lost')
      await purgeIpfs()
      await pulled(image)
    })

    it('has an image pushed again that IPFS has lost', async () => {
      const image = await pushed('ipfs-lost-push')
      await purgeIpfs()
      assert.equal(await dockerPush(docker, image.name), image.digest)
      await assertInBoth(image)
      await pulled(image)
    })

    it('is filled by a pull of what it has lost', async () => {
      const image = await pushed('cache-lost')
      await cache.purge()
      await pulled(image)
      await cache.assertHas(image.paths)
    })

    it('has an image pushed again that it has lost', async () => {
      const image = await pushed('cache-lost-push')
      await cache.purge()
      assert.equal(await dockerPush(docker, image.name), image.digest)
      await assertInBoth(image)
      await pulled(image)
    })

    it('gets the repository of a CID back that it alone lacks', async () => {
      const image = await pushed('repository-lost')
      await cache.purge(`repositories/${image.cid}`)
      await pulled(image)
      await assertInBoth(image)
    })

    it('finds no image that nobody has, without cloning', async () => {
      await assert.rejects(docker.docker('pull', `${server.host}/${UNKNOWN}`), /not found|unknown/)
      assert.equal((await client.manifest(UNKNOWN, 'latest')).status, 404)
    })

    it('keeps pulls from the nodes, and pushes on while it is not to be had itself', async () => {
      const image = await pushed('nodes-away')
      for (const kubo of kubos) await kubo.down()
      await assertComplete(client, image.cid, 'latest', image.digest)
      assert.ok((await client.tags(hexOf(image.digest)))?.includes(image.cid))
      const attempt = pushAttempt('cached/refused', 'latest', randomImage(`refused ${what}`))
      await assert.rejects(push(client, attempt), /503/)
      for (const kubo of kubos) await kubo.up()
      await kubos[0]?.connect(kubos[1] ?? assert.fail())
      await until(async () => push(client, attempt).then(() => true), { what: 'the nodes are used again' })
    })

    it('gives each image the CID that it has without a cache', async () => {
      const image = await pushed('one-cid')
      const plain = await scene.disco('plain')
      await run('skopeo', ['copy', '-q', '--src-tls-verify=false', '--dest-tls-verify=false', '--preserve-digests', `docker://${server.host}/${image.cid}`, `docker://${plain.host}/any:latest`])
      assert.equal(await cidByTags(new RegistryClient(plain.url), image.digest), image.cid)
    })
  })
}
