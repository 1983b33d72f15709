import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { run } from '../harness/command.ts'
import type { DiscoServer } from '../harness/disco.ts'
import { TINY, restoreTree, unpackTiny, type GoDiscoTree } from '../harness/go-disco.ts'
import type { ListedBlob } from '../harness/ipfs-view.ts'
import type { Kubo } from '../harness/kubo.ts'
import { RegistryClient, expectStatus, hexOf } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'
import { assertClonable, assertComplete, assertGlobal } from '../harness/verify.ts'

const HEX = hexOf(TINY.digest)
const SETS: readonly { readonly name: string; readonly trees: readonly GoDiscoTree[] }[] = [
  { name: 'one node', trees: ['one-node'] },
  { name: 'two nodes of a router', trees: ['two-nodes-0', 'two-nodes-1'] },
]

for (const { name, trees } of SETS) {
  describe(`what the original Disco left in ${name}, taken over`, { timeout: 300_000 }, () => {
    let scene: Scene
    let kubos: readonly Kubo[]
    let disco: DiscoServer
    let client: RegistryClient

    before(async () => {
      scene = await Scene.begin()
      kubos = await Promise.all(trees.map(() => scene.kubo()))
      for (const [number, tree] of trees.entries()) await restoreTree(kubos[number] ?? assert.fail(), tree)
      await kubos[1]?.connect(kubos[0] ?? assert.fail())
      disco = await scene.disco('disco', { kubos })
      client = new RegistryClient(disco.url)
    })

    after(() => scene.end())

    it('is served by CID, by digest and by <digest>:<CID>', async () => {
      const before = await roots()
      await assertGlobal(client, TINY.digest, TINY.cid)
      await assertComplete(client, HEX, 'latest', TINY.digest)
      assert.deepEqual(await client.tags(TINY.cid), ['latest'])
      assert.deepEqual(await client.tags(HEX), [TINY.cid, 'latest'])
      const catalog = JSON.parse(expectStatus(await client.request('GET', '/v2/_catalog'), 200).bytes.toString()) as { repositories: string[] }
      assert.deepEqual(catalog.repositories, [HEX, TINY.cid])
      assert.deepEqual(await roots(), before, 'reading changes nothing')
    })

    it('is cloned from it by an embedded Disco, by bitswap and by the gateway of ours', async () => {
      for (const peers of [kubos.flatMap(({ addresses }) => addresses), [disco.url]]) {
        const embedded = await scene.disco(`embedded from ${peers[0]?.slice(0, 4).replaceAll('/', '_')}`, { peers })
        await assertClonable(new RegistryClient(embedded.url), TINY.digest, TINY.cid)
      }
    })

    it('is cloned into other Kubos by another of ours, with every CID as it is', async () => {
      const others = [await scene.kubo(), await scene.kubo()]
      await others[0]?.connect(others[1] ?? assert.fail())
      for (const other of others) for (const kubo of kubos) await other.connect(kubo)
      const second = await scene.disco('second', { kubos: others })
      await assertClonable(new RegistryClient(second.url), TINY.digest, TINY.cid)
      await assertCids(others)
    })

    it('has the same image from ours beside it, pushed over it: both stay pullable, also after a restart', async () => {
      const layout = await unpackTiny(join(scene.directory, 'tiny'))
      await run('crane', ['push', '--insecure', layout, `${disco.host}/tiny:latest`])
      const cid = (await client.tags(HEX))?.find((tag) => tag.startsWith('bafy') && tag !== TINY.cid) ?? assert.fail()
      for (const each of [TINY.cid, cid]) await assertGlobal(client, TINY.digest, each)
      assert.deepEqual(await client.tags(HEX), [cid, TINY.cid, 'latest'].sort())
      await assertCids(kubos)

      await disco.stop()
      disco = await scene.disco('disco', { kubos })
      client = new RegistryClient(disco.url)
      for (const each of [TINY.cid, cid]) await assertGlobal(client, TINY.digest, each)
      for (const each of [TINY.cid, cid]) {
        const embedded = await scene.disco(`embedded for ${each}`, { peers: kubos.flatMap(({ addresses }) => addresses) })
        await assertClonable(new RegistryClient(embedded.url), TINY.digest, each)
      }
    })

    const roots = (): Promise<string[]> => Promise.all(kubos.map((kubo) => kubo.ipfs('files', 'stat', '--hash', '/docker')))

    /** The original's repository and each blob that it lists are held under their CIDs, whole. */
    async function assertCids(nodes: readonly Kubo[]): Promise<void> {
      for (const kubo of nodes) await kubo.ipfs('repo', 'gc', '--quiet')
      const anywhere = async (...args: readonly string[]): Promise<readonly string[]> =>
        (await Promise.all(nodes.map((kubo) => kubo.ipfs(...args).catch(() => undefined)))).filter((answer) => answer !== undefined)
      const [text] = await anywhere('cat', '--offline', `${TINY.cid}/disco.json`)
      const { blobs } = JSON.parse(text ?? assert.fail('no disco.json')) as { blobs: readonly ListedBlob[] }
      for (const cid of [TINY.cid, ...blobs.map((blob) => blob.cid)]) {
        assert.ok((await anywhere('refs', '--offline', '--recursive', cid)).length > 0, `${cid} is here`)
      }
    }
  })
}
