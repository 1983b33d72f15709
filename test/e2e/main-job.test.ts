import assert from 'node:assert/strict'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { copyClients } from './harness/clients.ts'
import { run } from './harness/command.ts'
import { disco, type DiscoServer } from './harness/disco.ts'
import { dockerPush, type Docker } from './harness/docker.ts'
import { debianImage, digestInLayout } from './harness/images.ts'
import { CID_HEADER, RegistryClient, digestOf, expectStatus, hexOf } from './harness/registry-client.ts'
import { Scene } from './harness/scene.ts'
import { assertClonable, cidByTags } from './harness/verify.ts'

/** Every file with all that it is, but what Docker itself puts over the image. */
const LIST_TREE = `
  cd /
  image() {
    find . -xdev ! -path './proc*' ! -path './sys*' ! -path './dev*' ! -path ./.dockerenv ! -path ./etc/mtab \\
      ! -path ./etc/hosts ! -path ./etc/hostname ! -path ./etc/resolv.conf "$@" | sort
  }
  image -type d -printf '%p %y %m %U:%G\\n'
  image ! -type d -printf '%p %y %m %U:%G %s %T@ %l\\n'
  image -type f | xargs -d '\\n' sha256sum`

interface ImageManifest {
  readonly mediaType: string
  readonly config: { readonly digest: string }
  readonly layers: readonly { readonly digest: string }[]
}

interface PushedImage {
  readonly digest: string
  readonly cid: string
  /** What lists it in a daemon that got it without Disco. */
  readonly tree: string
}

describe('a real image, pushed to one Disco and pulled by CID from another', { timeout: 900_000 }, () => {
  let scene: Scene
  let origin: Docker
  let destination: Docker
  let first: DiscoServer
  let layout: string
  const pushed = new Map<string, PushedImage>()

  before(async () => {
    layout = await debianImage()
    scene = await Scene.begin()
    first = await scene.disco('first')
    origin = await scene.docker()
    destination = await scene.docker()
    await scene.load(origin, layout, 'debian', `${first.host}/from/docker:latest`)
  })

  after(() => scene.end())

  async function treeIn(docker: Docker, image: string): Promise<string> {
    return docker.docker('run', '--rm', '--network', 'none', image, 'sh', '-c', LIST_TREE)
  }

  /** Every way to learn an image's CID, which must all tell the same one. */
  async function learnCid(digest: string, name: string): Promise<string> {
    const client = new RegistryClient(first.url)
    const cid = await cidByTags(client, digest)
    assert.match(cid, /^bafybei[a-z2-7]{52}$/)
    assert.equal(await cidByHeader(client, digest), cid, 'header of the answer to a push')
    assert.equal(await disco(['cid', digest], first.data), cid, 'disco cid <digest>')
    const images = JSON.parse(await disco(['images', '--json'], first.data)) as { cid: string; digest: string }[]
    const listed = images.filter((image) => image.digest === digest).map((image) => image.cid)
    assert.deepEqual(listed, [cid], `disco images, ${name}`)
    return cid
  }

  /** Pushes the image again without a byte of its blobs: they are mounted from its digest repository. */
  async function cidByHeader(client: RegistryClient, digest: string): Promise<string | null> {
    const manifest = await client.manifest(hexOf(digest), digest)
    const { config, layers, mediaType } = JSON.parse(manifest.bytes.toString()) as ImageManifest
    for (const blob of [config, ...layers]) {
      const query = new URLSearchParams({ mount: blob.digest, from: hexOf(digest) })
      expectStatus(await client.request('POST', `/v2/again/blobs/uploads/?${query}`), 201)
    }
    const answer = await client.putManifest('again', 'latest', Uint8Array.from(manifest.bytes), mediaType)
    return expectStatus(answer, 201).headers.get(CID_HEADER)
  }

  it('docker push', async () => {
    const tree = await treeIn(origin, `${first.host}/from/docker:latest`)
    const digest = await dockerPush(origin, `${first.host}/from/docker:latest`)
    pushed.set('docker', { digest, cid: await learnCid(digest, 'docker'), tree })
  })

  it('skopeo copy', async () => {
    const digest = await (await copyClients(scene)).skopeo.push({ layout, tag: 'debian' }, `${first.host}/from/skopeo:latest`)
    const { tree } = pushed.get('docker') ?? assert.fail('docker push failed')
    pushed.set('skopeo', { digest, cid: await learnCid(digest, 'skopeo'), tree })
  })

  for (const way of ['gateway', 'bitswap'] as const) {
    for (const client of ['docker', 'skopeo'] as const) {
      it(`what ${client} pushed comes by ${way}, runs, and is the same byte for byte`, async () => {
        const { digest, cid, tree } = pushed.get(client) ?? assert.fail(`${client} push failed`)
        const peer = way === 'gateway' ? first.url : first.multiaddr()
        const second = await scene.disco(`${way}-${client}`, { peers: [peer] })
        const image = `${second.host}/${cid}`
        await destination.docker('pull', '-q', image)
        assert.equal(await destination.docker('run', '--rm', '--network', 'none', image), 'made from packages')
        assert.deepEqual(difference(await treeIn(destination, image), tree), [], 'the file trees are equal')
        assert.match(await destination.docker('inspect', '--format', '{{.RepoDigests}}', image), new RegExp(digest))
        await destination.docker('rmi', image)

        await assertClonable(new RegistryClient(second.url), digest, cid)
        if (client === 'skopeo') await assertEqualToLayout(image)
        await second.stop()
        await rm(second.data, { recursive: true })
      })
    }
  }

  async function assertEqualToLayout(image: string): Promise<void> {
    const copy = join(scene.directory, 'copy')
    await run('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${image}`, `dir:${copy}`])
    const manifest = await readFile(join(copy, 'manifest.json'))
    assert.equal(digestOf(manifest), await digestInLayout(layout, 'debian'))
    const { config, layers } = JSON.parse(manifest.toString()) as ImageManifest
    for (const { digest } of [config, ...layers]) {
      const [got, original] = await Promise.all([
        readFile(join(copy, hexOf(digest))),
        readFile(join(layout, 'blobs/sha256', hexOf(digest))),
      ])
      assert.ok(got.equals(original), `${digest} is equal byte for byte`)
    }
    await rm(copy, { recursive: true })
  }
})

/** The first lines of one text that the other has not, both ways. */
function difference(one: string, other: string): string[] {
  const [lines, others] = [new Set(one.split('\n')), new Set(other.split('\n'))]
  const [added, missing] = [[...lines].filter((line) => !others.has(line)), [...others].filter((line) => !lines.has(line))]
  return [...added.slice(0, 5), ...missing.slice(0, 5)]
}
