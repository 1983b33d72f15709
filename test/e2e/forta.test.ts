import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { DiscoServer } from './harness/disco.ts'
import { dockerPush, type Docker } from './harness/docker.ts'
import { smallImage } from './harness/images.ts'
import { hexOf } from './harness/registry-client.ts'
import { Scene } from './harness/scene.ts'

/** What a registry stores into: two of them that know each other. */
const GROUNDS: readonly { readonly name: string; readonly start: (scene: Scene) => Promise<readonly [DiscoServer, () => Promise<DiscoServer>]> }[] = [
  {
    name: 'the embedded node',
    start: async (scene) => {
      const first = await scene.disco('first')
      return [first, () => scene.disco('second', { peers: [first.url] })]
    },
  },
  {
    name: 'Kubo',
    start: async (scene) => {
      const kubos = [await scene.kubo(), await scene.kubo()] as const
      await kubos[0].connect(kubos[1])
      return [await scene.disco('first', { kubos: [kubos[0]] }), () => scene.disco('second', { kubos: [kubos[1]] })]
    },
  },
]

/** How the users of the original Disco use it: push, learn the CID from `docker pull -a`, pull by CID and digest. */
for (const { name, start } of GROUNDS) {
  describe(`the way of forta-bot-sdk, over ${name}`, { timeout: 300_000 }, () => {
    let scene: Scene
    let first: DiscoServer
    let another: () => Promise<DiscoServer>
    let publisher: Docker

    before(async () => {
      scene = await Scene.begin()
      ;[first, another] = await start(scene)
      publisher = await scene.docker()
    })

    after(() => scene.end())

    it('works', async () => {
      const layout = join(scene.directory, 'layout')
      const image = `${first.host}/forta-agent:latest`
      await smallImage(layout, { seed: 'forta', layers: [2_000_000, 100] })
      await scene.load(publisher, layout, 'small', image)
      const digest = await dockerPush(publisher, image)

      const said = await publisher.docker('pull', '-a', `${first.host}/${hexOf(digest)}`)
      const from = said.indexOf('bafy')
      assert.notEqual(from, -1, said)
      const cid = said.slice(from, said.indexOf(':', from))
      assert.match(cid, /^bafybei[a-z2-7]{52}$/)

      const second = await another()
      const scanner = await scene.docker()
      const reference = `${second.host}/${cid}@${digest}`
      await scanner.docker('pull', reference)
      assert.match(await scanner.docker('inspect', '--format', '{{.RepoDigests}}', reference), new RegExp(digest))
    })
  })
}
