import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { createDisco } from '../../src/disco.ts'
import { digestOf, formatDigest } from '../../src/oci/digest.ts'
import { LOCAL, start } from './command.ts'
import { pushImage } from './image.ts'

it('several processes clone through the one that has the network, and serve the image themselves from then on', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'disco-processes-'))
  const data = join(directory, 'second')
  const first = await createDisco({ data: join(directory, 'first'), network: 'private', host: '127.0.0.1', port: 0, listen: ['/ip4/127.0.0.1/tcp/0'] })
  try {
    const peer = await first.start()
    const { cid, digest, layer } = await pushImage(first.registry)
    const second = start([...LOCAL, '--data', data, '--processes', '2', '--peer', peer])
    const pull = async (): Promise<void> => {
      const base = `${await second.address}/v2/${cid}`
      const manifest = await fetch(`${base}/manifests/latest`)
      assert.deepEqual([manifest.status, manifest.headers.get('docker-content-digest')], [200, digest], await manifest.clone().text())
      const blob = await fetch(`${base}/blobs/${formatDigest(digestOf(layer))}`)
      assert.equal(Buffer.compare(Buffer.from(await blob.arrayBuffer()), layer), 0)
    }
    await Promise.all([pull(), pull(), pull()])
    await first.stop()
    await pull()
    second.child.kill('SIGTERM')
    const { code, err } = await second.ended
    assert.equal(code, 0, err)
  } finally {
    await first.stop()
    await rm(directory, { recursive: true, force: true })
  }
})
