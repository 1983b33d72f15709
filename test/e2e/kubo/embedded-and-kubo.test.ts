import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { CopySession } from '../clients/client.ts'
import { copyClients } from '../harness/clients.ts'
import type { DiscoServer } from '../harness/disco.ts'
import { smallImage } from '../harness/images.ts'
import { assertSameForIpfs } from '../harness/ipfs-view.ts'
import type { Kubo } from '../harness/kubo.ts'
import { RegistryClient } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'
import { assertClonable, assertGlobal, cidByTags } from '../harness/verify.ts'

const LAYERS = [5 * (1 << 20) + 17, 3000]
const GATEWAY = { 'Addresses.Gateway': '/ip4/127.0.0.1/tcp/0' }

/** An index with two platforms goes each way, and the registry that it came from is gone before it goes on. */
describe('a Disco with the embedded node and one over Kubo', { timeout: 300_000 }, () => {
  let scene: Scene
  let regctl: CopySession

  before(async () => {
    scene = await Scene.begin()
    regctl = (await copyClients(scene)).regctl
  })

  after(() => scene.end())

  const client = ({ url }: DiscoServer): RegistryClient => new RegistryClient(url)

  async function push(server: DiscoServer, seed: string): Promise<{ readonly cid: string; readonly digest: string }> {
    const layout = join(scene.directory, `layout of ${seed}`)
    const digest = await smallImage(layout, { seed, architectures: ['amd64', 'arm64'], layers: LAYERS })
    await regctl.push({ layout, tag: 'small' }, `${server.host}/made/here:latest`)
    return { cid: await cidByTags(client(server), digest), digest }
  }

  for (const way of ['bitswap', 'gateway'] as const) {
    it(`embedded to Kubo, by ${way}`, async () => {
      const giver = await scene.disco(`giver by ${way}`)
      const { cid, digest } = await push(giver, `to Kubo by ${way}`)
      const kubo = await scene.kubo()
      const taker = await scene.disco(`taker by ${way}`, { kubos: [kubo], peers: [way === 'bitswap' ? giver.multiaddr() : giver.url] })
      await assertClonable(client(taker), digest, cid)
      await giver.stop()
      await kubo.ipfs('repo', 'gc', '--quiet')
      await assertGlobal(client(taker), digest, cid)
      await assertSameForIpfs(kubo, cid, digest, join(scene.directory, `got by ${way}`))
    })
  }

  const from: readonly (readonly [way: string, peer: (kubo: Kubo, disco: DiscoServer) => string])[] = [
    ['bitswap', ({ addresses }) => addresses[0] ?? assert.fail()],
    ['Kubo\'s gateway', ({ gateway }) => gateway ?? assert.fail()],
    ['the gateway of the Disco before it', (_, { url }) => url],
  ]
  for (const [number, [way, peer]] of from.entries()) {
    it(`Kubo to embedded, by ${way}`, async () => {
      const kubo = await scene.kubo({ config: GATEWAY })
      const giver = await scene.disco(`giver ${number}`, { kubos: [kubo] })
      const { cid, digest } = await push(giver, `from Kubo ${number}`)
      const taker = await scene.disco(`taker ${number}`, { peers: [peer(kubo, giver)] })
      await assertClonable(client(taker), digest, cid)
      await giver.stop()
      await kubo.down()
      await assertGlobal(client(taker), digest, cid)
    })
  }
})
