import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { createDisco, type Disco, type DiscoOptions } from '../../src/disco.ts'
import { push, pushAttempt } from '../crash/push-attempt.ts'
import { randomImage, type RandomImage } from '../crash/random-image.ts'
import { digestOf, hexOf, RegistryClient } from '../e2e/harness/registry-client.ts'
import { until } from '../e2e/harness/until.ts'
import { assertGlobal } from '../e2e/harness/verify.ts'

const LOCAL = { network: 'private', host: '127.0.0.1', port: 0, listen: ['/ip4/127.0.0.1/tcp/0'] } as const
const FIXTURES = join(import.meta.dirname, '../fixtures/go-disco')
/** Of the image of the fixtures. */
const TINY = { digest: 'sha256:05c06b23ff35f8fb0bbac800a4e0ed360d83d73ec24e97cb1d42466618b9c5f8', alone: 'bafybeiafybvsh7zv7d5qxowiacsob3jwbwb5opwcj2l4whkciztbroof7a' }

describe('a Disco with a cache', { timeout: 120_000 }, () => {
  let directory: string
  let running: Disco[]

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'disco-cache-'))
    running = []
  })
  after(async () => {
    for (const disco of running) await disco.stop()
    await rm(directory, { recursive: true, force: true })
  })

  async function start(name: string, options: DiscoOptions): Promise<RegistryClient> {
    const disco = await createDisco({ ...LOCAL, data: join(directory, name), ...options })
    running.push(disco)
    return new RegistryClient(await disco.start())
  }

  async function pushed(client: RegistryClient, image: RandomImage, tag = 'latest'): Promise<string> {
    const attempt = pushAttempt('some/app', tag, image)
    await push(client, attempt)
    return attempt.cid ?? assert.fail()
  }

  const digestsOf = ({ blobs }: RandomImage): string[] => blobs.map(digestOf)
  const pathOf = (digest: string): string => `docker/registry/v2/blobs/sha256/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}/data`
  const headOf = async (client: RegistryClient, cid: string, digest: string, method = 'HEAD'): Promise<{ status: number; location: string | null }> => {
    const { status, headers, body } = await fetch(`${client.url}/v2/${cid}/blobs/${digest}`, { method, redirect: 'manual' })
    await body?.cancel()
    return { status, location: headers.get('location') }
  }

  it('that is all it has gives images the names that the original Disco gives them, and opens what that left', async () => {
    const cache = join(directory, 'alone')
    await promisify(execFile)('mkdir', ['-p', cache])
    await promisify(execFile)('tar', ['xzf', join(FIXTURES, 'cacheonly.tar.gz'), '-C', cache])
    const client = await start('alone-data', { cacheFilesystem: cache, cacheOnly: true })
    await assertGlobal(client, TINY.digest, TINY.alone)
    const image = randomImage('alone')
    const cid = await pushed(client, image)
    assert.match(cid, /^bafybei/)
    await assertGlobal(client, image.digest, cid)
    assert.equal(await pushed(client, image), cid)
    assert.ok(existsSync(join(cache, 'docker/registry/v2/repositories', cid, '_manifests/tags/latest/current/link')))
    assert.equal((await fetch(`${client.url}/ipfs/${cid}?format=raw`)).status, 404)
    assert.equal((await client.manifest('bafybeielvnt5apaxbk6chthc4dc3p6vscpx3ai4uvti7gwh253j7facsxu', 'latest')).status, 404)
  })

  it('sends clients for a blob to what is configured, as long as the cache has it', async () => {
    const cache = join(directory, 'sent')
    const client = await start('sent-data', { cacheFilesystem: cache, redirect: 'http://cdn.example.com/images/' })
    const image = randomImage('sent')
    const cid = await pushed(client, image)
    for (const digest of digestsOf(image)) {
      await until(async () => (await headOf(client, cid, digest)).status === 307, { what: `${digest} is in the cache` })
      assert.deepEqual(await headOf(client, cid, digest), { status: 307, location: `http://cdn.example.com/images/${pathOf(digest)}` })
      assert.deepEqual(await headOf(client, cid, digest, 'GET'), await headOf(client, cid, digest))
    }
    const [digest = ''] = digestsOf(image)
    await rm(join(cache, pathOf(digest)))
    assert.deepEqual(await headOf(client, cid, digest, 'GET'), { status: 200, location: null })
    await until(async () => (await headOf(client, cid, digest)).status === 307, { what: 'it is in the cache again' })
  })

  for (const [what, between] of [
    ['', async () => {}],
    [', a file in between', async (cache: string, client: RegistryClient) => {
      await writeFile(cache, '')
      const image = randomImage('between')
      await assertGlobal(client, image.digest, await pushed(client, image, 'between'))
      await rm(cache)
      await mkdir(cache)
    }],
  ] as const) {
    it(`fills a directory again that was taken away${what}`, async () => {
      const name = `taken${what.length}`
      const cache = join(directory, name)
      const client = await start(`${name}-data`, { cacheFilesystem: cache })
      const hasAll = (image: RandomImage) => () => digestsOf(image).every((digest) => existsSync(join(cache, pathOf(digest))))
      const [before, later] = [randomImage(`${name} before`), randomImage(`${name} later`)]
      const cid = await pushed(client, before, 'before')
      await until(hasAll(before), { what: 'the first image is in the cache' })
      await rm(cache, { recursive: true, maxRetries: 5 })
      await between(cache, client)
      await assertGlobal(client, later.digest, await pushed(client, later, 'later'))
      await until(hasAll(later), { what: 'what is pushed is in the cache' })
      await assertGlobal(client, before.digest, cid)
      await until(hasAll(before), { what: 'what is pulled is in the cache' })
    })
  }

  it('sends clients nowhere with a name that the image does not have', async () => {
    const client = await start('stranger', { cacheFilesystem: join(directory, 'strange'), redirect: 'http://cdn.example.com' })
    const image = randomImage('stranger')
    await pushed(client, image)
    const [digest = ''] = digestsOf(image)
    assert.equal((await headOf(client, 'other/name', digest)).status, 404)
  })

  it('starts without the cache, and takes and serves images', async () => {
    const silent = createServer((_, response) => response.writeHead(503).end()).listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    const { port } = silent.address() as { port: number }
    try {
      const client = await start('without', { cacheS3: { bucket: 'none', region: 'r', regionEndpoint: `http://127.0.0.1:${port}`, accessKey: 'a', secretKey: 'b' } })
      const image = randomImage('without')
      await assertGlobal(client, image.digest, await pushed(client, image))
      assert.equal((await fetch(`${client.url}/readyz`)).status, 200)
    } finally {
      silent.closeAllConnections()
      silent.close()
    }
  })

  it('in memory keeps to its size', async () => {
    const client = await start('memory', { cacheInmemory: { maxSize: 2_000_000 } })
    for (let number = 0; number < 8; number++) {
      const image = randomImage(`memory ${number}`)
      await assertGlobal(client, image.digest, await pushed(client, image))
    }
  })
})
