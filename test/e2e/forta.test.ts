import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { DiscoServer } from './harness/disco.ts'
import { dockerPush, type Docker } from './harness/docker.ts'
import { smallImage } from './harness/images.ts'
import { hexOf } from './harness/registry-client.ts'
import { Scene } from './harness/scene.ts'

/** How the users of the original Disco use it: push, learn the CID from `docker pull -a`, pull by CID and digest. */
describe('the way of forta-bot-sdk', { timeout: 300_000 }, () => {
  let scene: Scene
  let first: DiscoServer
  let publisher: Docker

  before(async () => {
    scene = await Scene.begin()
    first = await scene.disco('first')
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
    const start = said.indexOf('bafy')
    assert.notEqual(start, -1, said)
    const cid = said.slice(start, said.indexOf(':', start))
    assert.match(cid, /^bafybei[a-z2-7]{52}$/)

    const second = await scene.disco('second', { peers: [first.url] })
    const scanner = await scene.docker()
    const reference = `${second.host}/${cid}@${digest}`
    await scanner.docker('pull', reference)
    assert.match(await scanner.docker('inspect', '--format', '{{.RepoDigests}}', reference), new RegExp(digest))
  })
})
