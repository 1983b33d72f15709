import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CID } from 'multiformats/cid'
import { repositoryTree } from '../../../src/global/repository-tree.ts'
import { digestOf, formatDigest } from '../../../src/oci/digest.ts'
import { OCI_IMAGE_MANIFEST } from '../../../src/oci/media-type.ts'
import type { S3Options } from '../../../src/storage/bucket/s3/options.ts'
import { onBucket } from '../harness/bucket-flags.ts'
import type { DiscoServer } from '../harness/disco.ts'
import { restoreTree, TINY } from '../harness/go-disco.ts'
import type { Kubo } from '../harness/kubo.ts'
import { pushImage } from '../harness/push-image.ts'
import { RegistryClient } from '../harness/registry-client.ts'
import { S3Server } from '../harness/s3.ts'
import { Scene } from '../harness/scene.ts'
import { assertClonable, assertGlobal } from '../harness/verify.ts'

interface Image {
  readonly cid: string
  readonly digest: string
}

const isThere = (path: string): Promise<boolean> => stat(path).then(() => true, () => false)

describe('an image in another layout than ours, cloned into a bucket', { timeout: 300_000 }, () => {
  let scene: Scene
  let server: S3Server
  let kubo: Kubo

  before(async () => {
    scene = await Scene.begin()
    server = await S3Server.start()
    scene.atEnd(() => server.remove())
    kubo = await scene.kubo()
    await restoreTree(kubo, 'one-node')
  })
  after(() => scene.end())

  const client = ({ url }: DiscoServer): RegistryClient => new RegistryClient(url)
  const disco = (name: string, bucket: S3Options, peers: readonly string[] = []): Promise<DiscoServer> => scene.disco(name, { env: onBucket(bucket), peers })
  const block = async ({ url }: DiscoServer, cid: string): Promise<Buffer> => {
    const answer = await fetch(`${url}/ipfs/${CID.parse(cid).toV1()}?format=raw`)
    const bytes = Buffer.from(await answer.arrayBuffer())
    assert.equal(answer.status, 200, `${cid}: ${bytes.toString()}`)
    return bytes
  }

  /** An image as Kubo lays it out when it is told nothing, or something. */
  async function add(name: string, ...how: readonly string[]): Promise<Image> {
    const put = async (bytes: Uint8Array): Promise<string> => {
      const file = join(scene.directory, `${name}-${digestOf(bytes).hex}`)
      await writeFile(file, bytes)
      return kubo.ipfs('add', '-Q', ...how, file)
    }
    const place = async (bytes: Buffer, manifest: boolean) =>
      ({ digest: digestOf(bytes), size: bytes.length, manifest, blob: !manifest, cid: CID.parse((await put(bytes)).trim()) })
    const config = await place(Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', name })), false)
    const layers = [await place(randomBytes(5_300_000), false), await place(Buffer.alloc(3_000_000, 7), false)]
    const descriptor = ({ digest, size }: typeof config, mediaType: string): object => ({ mediaType, digest: formatDigest(digest), size })
    const manifest = await place(Buffer.from(JSON.stringify({
      schemaVersion: 2, mediaType: OCI_IMAGE_MANIFEST, config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
      layers: layers.map((layer) => descriptor(layer, 'application/vnd.oci.image.layer.v1.tar')),
    })), true)
    const directory = join(scene.directory, name)
    for (const [path, bytes] of repositoryTree(manifest.digest, [manifest, config, ...layers])) {
      await mkdir(dirname(join(directory, path)), { recursive: true })
      await writeFile(join(directory, path), bytes)
    }
    const root = CID.parse((await kubo.ipfs('add', '-Q', '-r', '-H', ...how, directory)).trim())
    return { cid: root.toV1().toString(), digest: formatDigest(manifest.digest) }
  }

  /** Every block of it and of its blobs, as Kubo has them. */
  async function blocksOf({ cid }: Image): Promise<Map<string, Buffer>> {
    const { blobs } = JSON.parse(await kubo.ipfs('cat', `${cid}/disco.json`)) as { readonly blobs: readonly { readonly cid: string }[] }
    const blocks = new Map<string, Buffer>()
    for (const root of [cid, ...blobs.map((blob) => blob.cid)]) {
      for (const each of [root, ...(await kubo.ipfs('refs', '-r', '-u', root)).split('\n').filter((line) => line !== '')]) {
        if (!blocks.has(each)) blocks.set(each, await kubo.ipfsBytes('block', 'get', each))
      }
    }
    return blocks
  }

  const images: Readonly<Record<string, () => Promise<Image>>> = {
    'of the original Disco': async () => TINY,
    "of Kubo's defaults of old": () => add('old'),
    'of raw leaves of 256 KiB': () => add('raw', '--cid-version=1', '--raw-leaves', '--chunker=size-262144'),
    'of a trickle': () => add('trickle', '--trickle', '--raw-leaves=false'),
  }

  for (const [what, make] of Object.entries(images)) {
    it(`is given whole by every Disco on it: one ${what}`, async () => {
      const image = await make()
      const blocks = await blocksOf(image)
      const bucket = await server.bucket()
      const first = await disco(`first ${what}`, bucket, kubo.addresses)
      await assertClonable(client(first), image.digest, image.cid)
      const assertGives = async (giver: DiscoServer): Promise<void> => {
        for (const [cid, bytes] of blocks) assert.equal(Buffer.compare(await block(giver, cid), bytes), 0, cid)
      }
      // At the first request: nobody has to wait until the index is complete.
      const second = await disco(`second ${what}`, bucket)
      await assertGives(second)
      const third = await scene.disco(`third ${what}`, { peers: [second.multiaddr()] })
      await assertClonable(client(third), image.digest, image.cid)

      await first.kill()
      await second.kill()
      await rm(join(scene.directory, `first ${what}`), { recursive: true })
      const again = await disco(`first ${what}`, bucket)
      await assertGives(again)
      await assertGlobal(client(again), image.digest, image.cid)
      await again.stop()
      assert.deepEqual(await readdir(join(server.files(bucket), 'disco/layouts')), [image.cid])
    })
  }

  it('is there with its layout or not at all, whenever the Disco that clones it is killed', async () => {
    const image = await add('killed', '--trickle', '--raw-leaves=false')
    const bucket = await server.bucket()
    const files = server.files(bucket)
    const latest = join(files, 'docker/registry/v2/repositories', image.cid, '_manifests/tags/latest/current/link')
    for (const [number, after] of [300, 600, 900].entries()) {
      const cloning = await disco(`killed ${number}`, bucket, kubo.addresses)
      const asked = client(cloning).manifest(image.cid, 'latest').catch(() => undefined)
      await sleep(after)
      await cloning.kill()
      await asked
      if (await isThere(latest)) assert.ok(await isThere(join(files, 'disco/layouts', image.cid)), `killed after ${after} ms`)
    }
    const last = await disco('not killed', bucket, kubo.addresses)
    await assertClonable(client(last), image.digest, image.cid)
    await last.stop()
    const other = await disco('of those that were killed', bucket)
    for (const [cid, bytes] of await blocksOf(image)) assert.equal(Buffer.compare(await block(other, cid), bytes), 0, cid)
    assert.deepEqual(await readdir(join(files, 'disco/layouts')), [image.cid])
  })

  it('costs nothing for ours, which another Disco gives as soon as it is pushed', async () => {
    const bucket = await server.bucket()
    const [pushed, asked] = [await disco('pushed', bucket), await disco('asked', bucket)]
    for (let number = 0; number < 3; number++) {
      const { cid } = await pushImage(client(pushed), 'made/here', { seed: `late ${number}`, sizes: [2_500_000, 1000] })
      await block(asked, cid)
    }
    const absent = CID.parse(TINY.cid).toString()
    for (let time = 0; time < 3; time++) assert.equal((await fetch(`${asked.url}/ipfs/${absent}?format=raw`)).status, 404)
    assert.ok(!(await readdir(join(server.files(bucket), 'disco')).catch((): string[] => [])).includes('layouts'))
  })
})
