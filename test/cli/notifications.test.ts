import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { digestOf, formatDigest } from '../../src/oci/digest.ts'
import { until } from '../http/harness.ts'
import { startReceiver } from '../notifications/receiver.ts'
import { LOCAL, start } from './command.ts'

const layer = Buffer.from('a layer')
const layerDigest = formatDigest(digestOf(layer))
const mediaType = 'application/vnd.oci.image.manifest.v1+json'
const manifest = JSON.stringify({
  schemaVersion: 2, mediaType, config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: layerDigest, size: layer.length }, layers: [],
})

async function push(base: string, name: string): Promise<void> {
  assert.equal((await fetch(`${base}/v2/${name}/blobs/uploads/?digest=${layerDigest}`, { method: 'POST', body: layer })).status, 201)
  assert.equal((await fetch(`${base}/v2/${name}/manifests/latest`, { method: 'PUT', headers: { 'Content-Type': mediaType }, body: manifest })).status, 201)
}

describe('a Disco with a webhook', () => {
  for (const processes of ['1', '2']) {
    it(`tells it, after a kill in between, of every push that was acknowledged (${processes} process${processes === '1' ? '' : 'es'})`, async (t) => {
      const data = await mkdtemp(join(tmpdir(), 'disco-webhook-'))
      t.after(() => rm(data, { recursive: true, force: true }))
      const receiver = await startReceiver(t)
      receiver.status = 503
      const endpoints = JSON.stringify([{ name: 'hook', url: receiver.url, threshold: 2, backoff: '50ms', ignore: { actions: ['pull'] } }])
      const run = (): ReturnType<typeof start> => start([...LOCAL, '--data', data, '--processes', processes], { REGISTRY_NOTIFICATIONS_ENDPOINTS: endpoints })

      const first = run()
      const names = ['one', 'two/three', 'four']
      for (const name of names) await push(await first.address, name)
      await until(() => receiver.headers.length > 2)
      first.child.kill('SIGKILL')
      await once(first.child, 'exit')

      receiver.status = 200
      const second = run()
      await second.address
      await until(() => receiver.taken.length >= 2 * names.length)
      const pushed = receiver.taken.filter(({ target }) => target.mediaType === mediaType)
      assert.deepEqual(pushed.map(({ action, target: { repository, tag } }) => ({ action, repository, tag })), names.map((repository) => ({ action: 'push', repository, tag: 'latest' })))
      assert.match(pushed[0]?.target.cid ?? '', /^bafybei/)
      assert.equal(pushed[0]?.request.addr, '127.0.0.1')
      second.child.kill('SIGTERM')
      assert.equal((await second.ended).code, 0)
    })
  }
})
