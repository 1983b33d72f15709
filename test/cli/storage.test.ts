import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createDisco } from '../../src/disco.ts'
import { digestOf, formatDigest } from '../../src/oci/digest.ts'
import { push, pushAttempt } from '../crash/push-attempt.ts'
import { randomImage } from '../crash/random-image.ts'
import { RegistryClient } from '../e2e/harness/registry-client.ts'
import { until } from '../e2e/harness/until.ts'
import { LOCAL, start } from './command.ts'
import { pushImage } from './image.ts'

const LOOPBACK = { network: 'private', host: '127.0.0.1', port: 0, listen: ['/ip4/127.0.0.1/tcp/0'] } as const
const UNKNOWN_CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'

describe('a registry on another storage', () => {
  let directory: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'disco-storage-'))
  })
  after(() => rm(directory, { recursive: true, force: true }))

  it('serves a directory of files with several processes, clones into it and shows what is there', async () => {
    const tree = join(directory, 'tree')
    const data = join(directory, 'second')
    const env = { REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: tree }
    const first = await createDisco({ ...LOOPBACK, data: join(directory, 'first') })
    const peer = await first.start()
    const { cid, digest, layer } = await pushImage(first.registry)
    const second = start([...LOCAL, '--data', data, '--processes', '2', '--peer', peer], env)
    try {
      const address = await second.address
      const pull = async (): Promise<void> => {
        const manifest = await fetch(`${address}/v2/${cid}/manifests/latest`)
        assert.deepEqual([manifest.status, manifest.headers.get('docker-content-digest')], [200, digest], await manifest.clone().text())
        const blob = await fetch(`${address}/v2/${cid}/blobs/${formatDigest(digestOf(layer))}`)
        assert.equal(Buffer.compare(Buffer.from(await blob.arrayBuffer()), layer), 0)
      }
      await Promise.all([pull(), pull(), pull()])
      await first.stop()
      await pull()
      assert.ok((await readdir(join(tree, 'docker/registry/v2/repositories'))).includes(cid))
      const images = JSON.parse((await start(['images', '--json', '--data', data], env).ended).out) as { cid: string }[]
      assert.deepEqual(images.map((image) => image.cid), [cid])
      assert.equal((await start(['cid', digest, '--data', data], env).ended).out, `${cid}\n`)
    } finally {
      await first.stop()
      second.child.kill('SIGTERM')
      assert.equal((await second.ended).code, 0)
    }
  })

  for (const [what, env] of [
    ['images', (root: string) => ({ REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: root })],
    ['images without IPFS', (root: string) => ({ REGISTRY_STORAGE_IPFS_CACHE_FILESYSTEM_ROOTDIRECTORY: root, REGISTRY_STORAGE_IPFS_CACHEONLY: 'true' })],
  ] as const) {
    it(`takes itself out of service while the directory of its ${what} is another one, and takes no image there`, async () => {
      const [root, away] = [join(directory, what), join(directory, `${what} away`)]
      const disco = start([...LOCAL, '--data', join(directory, `data of ${what}`)], { ...env(root), REGISTRY_HEALTH_STORAGEDRIVER_INTERVAL: '1ms', REGISTRY_HEALTH_STORAGEDRIVER_THRESHOLD: '1' })
      const client = new RegistryClient(await disco.address)
      const [before, later] = [pushAttempt('some/app', 'v1', randomImage('before')), pushAttempt('some/app', 'v2', randomImage('later'))]
      await push(client, before)
      const status = async (path: string, method = 'GET'): Promise<number> => {
        const answer = await fetch(`${client.url}${path}`, { method })
        await answer.arrayBuffer()
        return answer.status
      }
      const pull = `/v2/some/app/manifests/${before.image.digest}`
      assert.deepEqual([await status(pull), await status('/readyz')], [200, 200])
      for (const put of [async () => {}, () => mkdir(root)]) {
        await rename(root, away)
        await put()
        const asked = [await status(pull), await status('/v2/some/app/tags/list'), await status('/v2/some/app/blobs/uploads/', 'POST'), await status('/readyz')]
        assert.deepEqual(asked, [503, 503, 503, 503])
        assert.deepEqual(await readdir(root).catch(() => []), [])
        await rm(root, { recursive: true, force: true })
        await rename(away, root)
        await until(async () => (await status('/readyz')) === 200, { what: 'it is ready again' })
        assert.equal(await status(pull), 200)
      }
      await push(client, later)
      disco.child.kill('SIGTERM')
      const { code, err } = await disco.ended
      assert.equal(code, 0)
      assert.match(err, /"level":50.*the directory of the images, .* is gone: mount or put it back/)
      assert.match(err, /"level":50.*the directory of the images, .* is another one than was opened/)
    })
  }

  it('keeps images in memory, in one process alone', async () => {
    const data = join(directory, 'memory')
    const env = { REGISTRY_STORAGE: 'inmemory' }
    const several = await start(['serve', ...LOCAL, '--data', data, '--processes', '2'], env).ended
    assert.equal(several.code, 1)
    assert.match(several.err, /of one process alone: with 2 each would have other images/)
    await assert.rejects(stat(data), { code: 'ENOENT' })

    const first = await createDisco({ ...LOOPBACK, data, storageInmemory: true })
    const peer = await first.start()
    const { cid, digest } = await pushImage(first.registry)
    const second = await createDisco({ ...LOOPBACK, data: join(directory, 'memory too'), storageInmemory: true, peer: [peer] })
    try {
      await second.start()
      await second.service.cloneGlobalRepo(cid)
      assert.equal(formatDigest((await second.registry.manifest(cid, 'latest')).digest), digest)
    } finally {
      await second.stop()
      await first.stop()
    }
    const again = await createDisco({ ...LOOPBACK, data, storageInmemory: true, noClone: true })
    await again.start()
    await assert.rejects(again.registry.manifest(cid, 'latest'), /NAME_UNKNOWN|repository name not known/)
    await again.stop()
  })

  it('lets nothing be written while it is read-only', async () => {
    const data = join(directory, 'readonly')
    const writer = await createDisco({ ...LOOPBACK, data })
    await writer.start()
    const { cid, digest } = await pushImage(writer.registry)
    const { id } = await writer.registry.startUpload('left/alone')
    await writer.stop()
    const reader = await createDisco({ ...LOOPBACK, data, readonly: true, uploadPurgingAge: 1 })
    try {
      const address = await reader.start()
      assert.equal((await fetch(`${address}/v2/${cid}/manifests/latest`)).headers.get('docker-content-digest'), digest)
      const unknown = await fetch(`${address}/v2/${UNKNOWN_CID}/manifests/latest`)
      assert.equal(unknown.status, 503)
      assert.match(await unknown.text(), /read-only/)
      assert.equal((await fetch(`${address}/v2/some/name/blobs/uploads/`, { method: 'POST' })).status, 405)
      assert.equal((await reader.registry.upload('left/alone', id)).size, 0)
    } finally {
      await reader.stop()
    }
  })
})
