import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { CopySession } from '../clients/client.ts'
import { copyClients } from '../harness/clients.ts'
import type { DiscoServer } from '../harness/disco.ts'
import { smallImage } from '../harness/images.ts'
import type { Kubo } from '../harness/kubo.ts'
import { RegistryClient } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'
import { assertGlobal, cidByTags } from '../harness/verify.ts'

const IMAGES = 16
const AT_ONCE = 6

/**
 * Kubo 0.43 forgets some of what is done to MFS while a directory above it is flushed, as `files/rm` does: those that share
 * a data directory commit one after the other, and nothing of that is seen.
 */
describe('pushes at once, to a server of three processes', { timeout: 300_000 }, () => {
  let scene: Scene
  let skopeo: CopySession
  let kubos: readonly Kubo[]
  let disco: DiscoServer

  before(async () => {
    scene = await Scene.begin()
    skopeo = (await copyClients(scene)).skopeo
    const first = await scene.kubo()
    const second = await scene.kubo()
    await first.connect(second)
    kubos = [first, second]
    disco = await scene.disco('data', { kubos, args: ['--processes', '3'] })
  })

  after(() => scene.end())

  it('are all there after a collection of garbage', async () => {
    const images = await Promise.all(Array.from({ length: IMAGES }, async (_, number) => {
      const layout = join(scene.directory, `image-${number}`)
      return { number, layout, digest: await smallImage(layout, { seed: layout, layers: [3000, 1_500_000] }) }
    }))
    const waiting = [...images]
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (let image = waiting.pop(); image !== undefined; image = waiting.pop()) {
        await skopeo.push({ layout: image.layout, tag: 'small' }, `${disco.host}/at/once-${image.number}:latest`)
      }
    }))
    for (const kubo of kubos) await kubo.ipfs('repo', 'gc', '--quiet')
    const client = new RegistryClient(disco.url)
    for (const { digest } of images) await assertGlobal(client, digest, await cidByTags(client, digest))
  })
})
