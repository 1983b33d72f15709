import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ROOT, run } from '../harness/command.ts'
import { TINY, restoreTree, unpackCache, type GoDiscoTree } from '../harness/go-disco.ts'
import type { ListedBlob } from '../harness/ipfs-view.ts'
import type { Kubo } from '../harness/kubo.ts'
import { RegistryClient, hexOf } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'
import { assertClonable, assertComplete, assertGlobal } from '../harness/verify.ts'

const GATEWAY = { 'Addresses.Gateway': '/ip4/127.0.0.1/tcp/0' }
const SETS: readonly { readonly name: string; readonly trees: readonly GoDiscoTree[] }[] = [
  { name: 'one node', trees: ['one-node'] },
  { name: 'two nodes of a router', trees: ['two-nodes-0', 'two-nodes-1'] },
]

for (const { name, trees } of SETS) {
  describe(`what the original Disco left in ${name}, cloned by an embedded Disco`, { timeout: 300_000 }, () => {
    let scene: Scene
    let kubos: readonly Kubo[]
    const listed = async (kubo = kubos[0]): Promise<readonly ListedBlob[]> =>
      (JSON.parse(await (kubo ?? assert.fail()).ipfs('cat', `${TINY.cid}/disco.json`)) as { blobs: readonly ListedBlob[] }).blobs

    before(async () => {
      scene = await Scene.begin()
      kubos = await Promise.all(trees.map(() => scene.kubo({ config: GATEWAY })))
      for (const [number, tree] of trees.entries()) await restoreTree(kubos[number] ?? assert.fail(), tree)
      await kubos[1]?.connect(kubos[0] ?? assert.fail())
    })

    after(() => scene.end())

    const ways: readonly (readonly [way: string, peers: () => readonly string[]])[] = [
      ['bitswap', () => kubos.flatMap((kubo) => kubo.addresses)],
      ['Kubo\'s gateway', () => kubos.map((kubo) => kubo.gateway ?? assert.fail('no gateway'))],
    ]
    for (const [way, peers] of ways) {
      it(`comes by ${way} with its CIDs, and is served again`, async () => {
        const first = await scene.disco(`first by ${way}`, { peers: peers() })
        const client = new RegistryClient(first.url)
        await assertClonable(client, TINY.digest, TINY.cid)
        await assertTags(client, TINY.cid)

        for (const { cid } of await listed()) {
          assert.match(cid, /^Qm/)
          assert.equal((await client.request('GET', `/ipfs/${cid}?format=car`)).status, 200)
        }

        // Nobody else is known to it: what it gets, it gets from the first.
        const second = await scene.disco(`second by ${way}`, { peers: [way === 'bitswap' ? first.multiaddr() : first.url] })
        await assertClonable(new RegistryClient(second.url), TINY.digest, TINY.cid)
      })
    }

    it('goes from the embedded Disco to a Kubo that has none of it', async () => {
      const disco = await scene.disco('giver', { peers: kubos.flatMap((kubo) => kubo.addresses) })
      await assertClonable(new RegistryClient(disco.url), TINY.digest, TINY.cid)
      const fresh = await scene.kubo()
      await fresh.ipfs('swarm', 'connect', disco.multiaddr())
      for (const { digest, cid } of await listed(fresh)) {
        const got = join(scene.directory, digest)
        await fresh.ipfs('get', '-o', got, cid)
        // With the options of the fresh node, which the original's was.
        assert.equal(await fresh.ipfs('add', '-Q', '--only-hash', '--trickle', got), cid)
      }
    })
  })
}

describe('a directory that the original Disco left, as plain storage', { timeout: 300_000 }, () => {
  let scene: Scene

  before(async () => {
    scene = await Scene.begin()
  })

  after(() => scene.end())

  for (const [archive, cid] of [['one-node-cache', TINY.cid], ['cacheonly', TINY.cacheOnlyCid]] as const) {
    it(`opens: ${archive}`, async () => {
      const root = await unpackCache(archive, join(scene.directory, archive))
      const { url } = await scene.disco(`data of ${archive}`, { env: { REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: root } })
      const client = new RegistryClient(url)
      await assertGlobal(client, TINY.digest, cid)
      await assertComplete(client, hexOf(TINY.digest), 'latest', TINY.digest)
      await assertTags(client, cid)
      const listed = await run(process.execPath, ['src/cli/main.ts', 'images', '--json'], { cwd: ROOT, env: { REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: root } })
      assert.deepEqual((JSON.parse(listed) as { cid: string; digest: string }[]).map((image) => [image.cid, image.digest]), [[cid, TINY.digest]])
    })
  }
})

async function assertTags(client: RegistryClient, cid: string): Promise<void> {
  assert.deepEqual(await client.tags(cid), ['latest'])
  assert.deepEqual(await client.tags(hexOf(TINY.digest)), [cid, 'latest'])
}
