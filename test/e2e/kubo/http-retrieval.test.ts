import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { makeCertificates } from '../clients/certificates.ts'
import { startRouter, type DelegatedRouter } from '../harness/delegated-router.ts'
import type { DiscoServer } from '../harness/disco.ts'
import { assertSameForIpfs } from '../harness/ipfs-view.ts'
import type { Kubo } from '../harness/kubo.ts'
import { pushImage } from '../harness/push-image.ts'
import { RegistryClient } from '../harness/registry-client.ts'
import { Scene } from '../harness/scene.ts'

/** "TLS and HTTP/2 are required": Kubo asks our gateway as it asks any provider that a router gives it with `/tls/http`. */
describe('Kubo, by HTTP from an embedded Disco', { timeout: 300_000 }, () => {
  let scene: Scene
  let disco: DiscoServer
  let client: RegistryClient
  let router: DelegatedRouter
  let kubo: Kubo

  before(async () => {
    scene = await Scene.begin()
    const { ca, certificate, key } = await makeCertificates(scene.directory)
    disco = await scene.disco('disco', { tls: true, args: ['--tls-certificate', certificate, '--tls-key', key] })
    client = new RegistryClient(disco.url)
    const peerId = disco.multiaddr().split('/').at(-1) ?? assert.fail()
    router = await startRouter(scene, { peerId, addresses: [`/ip4/127.0.0.1/tcp/${disco.port}/tls/http`] })
    kubo = await scene.kubo({
      env: { SSL_CERT_FILE: ca },
      config: {
        'HTTPRetrieval.Enabled': true,
        'HTTPRetrieval.Allowlist': ['127.0.0.1'],
        'Provide.Enabled': false,
        'Routing.Type': 'delegated',
        'Routing.DelegatedRouters': [router.url],
      },
    })
  })

  after(() => scene.end())

  it('fetches an image, and sees it as it is', async () => {
    const { cid, digest } = await pushImage(client, 'image', { seed: 'http', sizes: [20 * 1024 * 1024 + 1, 100] })
    await assertSameForIpfs(kubo, cid, digest, join(scene.directory, 'got'))
    assert.ok(router.asked.has(cid))
    assert.equal(await kubo.ipfs('swarm', 'peers'), '', 'there is nobody to ask by bitswap')
  })

  it('learns that a block is not there, and goes on asking for others', async () => {
    const absent = await kubo.ipfs('add', '-Qn', '--cid-version=1', join(import.meta.dirname, 'http-retrieval.test.ts'))
    await assert.rejects(kubo.ipfs('block', 'get', '--timeout=3s', absent))
    const { cid, digest } = await pushImage(client, 'image', { seed: 'http, again', sizes: [3000] })
    await assertSameForIpfs(kubo, cid, digest, join(scene.directory, 'again'))
  })
})
