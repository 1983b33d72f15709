import assert from 'node:assert/strict'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { S3Options } from '../../../src/storage/bucket/s3/options.ts'
import { onBucket } from '../harness/bucket-flags.ts'
import { copyClients, type Copier } from '../harness/clients.ts'
import type { CopySession } from '../clients/client.ts'
import { ROOT, run } from '../harness/command.ts'
import type { DiscoServer } from '../harness/disco.ts'
import { startDistribution } from '../harness/distribution.ts'
import { smallImage } from '../harness/images.ts'
import { pushImage, type PushedImage } from '../harness/push-image.ts'
import { hexOf, RegistryClient } from '../harness/registry-client.ts'
import { S3Server } from '../harness/s3.ts'
import { Scene } from '../harness/scene.ts'
import { until } from '../harness/until.ts'
import { assertClonable, assertComplete, assertGlobal, cidByTags } from '../harness/verify.ts'

const INDEX = { architectures: ['amd64', 'arm64'], layers: [6_500_000, 3000] }

describe('a Disco on a bucket', { timeout: 300_000 }, () => {
  let scene: Scene
  let server: S3Server
  let clients: Readonly<Record<Copier, CopySession>>

  before(async () => {
    scene = await Scene.begin()
    server = await S3Server.start()
    scene.atEnd(() => server.remove())
    clients = await copyClients(scene)
  })
  after(() => scene.end())

  const client = ({ url }: DiscoServer): RegistryClient => new RegistryClient(url)
  const disco = (name: string, bucket: S3Options, more: { readonly peers?: readonly string[]; readonly args?: readonly string[] } = {}): Promise<DiscoServer> =>
    scene.disco(name, { env: onBucket(bucket), ...more })
  const command = (bucket: S3Options, ...args: readonly string[]): Promise<string> =>
    run(process.execPath, ['src/cli/main.ts', ...args], { cwd: ROOT, env: onBucket(bucket) })
  const push = (to: DiscoServer, seed: string): Promise<PushedImage> => pushImage(client(to), 'made/here', { seed, sizes: [2_500_000, 1000] })

  it('gives an image the CID that it has everywhere, and no client sees that it is a bucket', async () => {
    const bucket = await server.bucket()
    const [there, embedded] = await Promise.all([disco('clients', bucket), scene.disco('embedded')])
    for (const pusher of ['skopeo', 'regctl'] as const) {
      const layout = join(scene.directory, `layout for ${pusher}`)
      const digest = await smallImage(layout, { seed: pusher, ...INDEX })
      const image = { layout, tag: 'small' }
      await clients[pusher].push(image, `${there.host}/team/app:latest`)
      await clients[pusher].push(image, `${embedded.host}/team/app:latest`)
      const cid = await cidByTags(client(embedded), digest)
      await assertGlobal(client(there), digest, cid)
      for (const puller of ['crane', 'skopeo'] as const) await clients[puller].pull(`${there.host}/${cid}:latest`, digest)
      await clients.crane.copy(`${there.host}/${cid}:latest`, `${there.host}/copied/app:v1`)
      await assertComplete(client(there), 'copied/app', 'v1', digest)
      assert.match(await command(bucket, 'images', '--json'), new RegExp(cid))
      assert.equal((await command(bucket, 'cid', digest)).trim(), cid)
    }
    assert.match(there.log(), new RegExp(`images +bucket ${bucket.bucket} at http://`))
  })

  for (const [number, way] of ['bitswap', 'the gateway'].entries()) {
    it(`clones by ${way} into its bucket, and from there others clone`, async () => {
      const peer = (giver: DiscoServer): readonly string[] => [number === 0 ? giver.multiaddr() : giver.url]
      const first = await scene.disco(`first ${number}`)
      const { cid, digest } = await push(first, way)
      const second = await disco(`second ${number}`, await server.bucket(), { peers: peer(first) })
      await assertClonable(client(second), digest, cid)
      await first.stop()
      const third = await disco(`third ${number}`, await server.bucket(), { peers: peer(second) })
      await assertClonable(client(third), digest, cid)
      await second.stop()
      const fourth = await scene.disco(`fourth ${number}`, { peers: peer(third) })
      await assertClonable(client(fourth), digest, cid)
    })
  }

  it('goes on with an empty data directory, and gives peers what the one before took', async () => {
    const bucket = await server.bucket()
    const lost = await disco('lost', bucket)
    const { cid, digest } = await push(lost, 'lost data')
    await lost.kill()
    const there = await disco('new', bucket)
    await assertGlobal(client(there), digest, cid)
    await until(async () => (await fetch(`${there.url}/ipfs/${cid}?format=raw`)).ok, { what: 'the index has the image again' })
    const taker = await scene.disco('taker of the lost', { peers: [there.multiaddr()] })
    await assertClonable(client(taker), digest, cid)
  })

  it('opens what Distribution keeps in a bucket, by its configuration file, and the other way', async () => {
    const { bucket, regionEndpoint, region, accessKey, secretKey } = await server.bucket()
    const s3 = { bucket, regionendpoint: regionEndpoint, region, accesskey: accessKey, secretkey: secretKey, forcepathstyle: true, secure: false, v4auth: true, rootdirectory: '/team/images' }
    const theirs = await startDistribution(scene, 'registry', { s3 })
    const ours = await scene.disco('beside Distribution', { env: { REGISTRY_CONFIGURATION_PATH: theirs.config } })
    for (const [number, { from, to }] of [{ from: theirs, to: ours }, { from: ours, to: theirs }].entries()) {
      const layout = join(scene.directory, `layout ${number} of Distribution`)
      const digest = await smallImage(layout, { seed: `${number} of Distribution`, ...INDEX })
      await clients.skopeo.push({ layout, tag: 'small' }, `${from.host}/team/app${number}:v1`)
      for (const { url } of [from, to]) await assertComplete(new RegistryClient(url), `team/app${number}`, 'v1', digest)
      await clients.crane.pull(`${to.host}/team/app${number}:v1`, digest)
      if (from === ours) await assertGlobal(new RegistryClient(theirs.url), digest, await cidByTags(client(ours), digest))
    }
  })

  it('serves from several processes, and while nothing may be written', async () => {
    const bucket = await server.bucket()
    const several = await disco('several', bucket, { args: ['--processes', '2'] })
    const { cid, digest } = await push(several, 'several')
    await assertGlobal(client(several), digest, cid)
    await several.stop()
    const files = async (): Promise<string[]> => (await readdir(server.files(bucket), { recursive: true })).sort()
    const written = await files()
    const readonly = await scene.disco('readonly', { env: { ...onBucket(bucket), REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED: 'true' } })
    await assertGlobal(client(readonly), digest, cid)
    assert.equal((await client(readonly).request('POST', '/v2/made/here/blobs/uploads/')).status, 405)
    await readonly.stop()
    assert.deepEqual(await files(), written)
  })

  it('drops uploads that nobody finished, whoever began them', async () => {
    const bucket = await server.bucket()
    const first = await disco('abandoned', bucket)
    const begun = await client(first).startUpload('made/here')
    const state = await client(first).patchUpload(begun, Buffer.alloc(1000))
    await first.kill()
    const second = await scene.disco('purging', { env: { ...onBucket(bucket), REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_AGE: '1ms' } })
    await until(async () => (await client(second).upload(state.location)) === undefined, { what: 'the upload is gone' })
    // Its record goes first, and the bytes that it names then.
    const left = async (): Promise<string[]> => readdir(server.files(bucket), { recursive: true }).catch(() => ['/uploads/ that goes just now'])
    await until(async () => !(await left()).some((path) => path.includes('/uploads/')), { what: 'its bytes are gone' })
  })

  it('sends clients to the bucket for blobs, with what the URL is signed for and nothing else', async () => {
    const bucket = await server.bucket()
    const there = await scene.disco('redirecting', { env: onBucket(bucket, { redirect: true }) })
    const layout = join(scene.directory, 'layout of the redirected')
    const digest = await smallImage(layout, { seed: 'redirect', ...INDEX })
    for (const each of ['skopeo', 'crane', 'oras', 'regctl'] as const) {
      await clients[each].push({ layout, tag: 'small' }, `${there.host}/by/${each}:v1`)
      await clients[each].pull(`${there.host}/by/${each}:v1`, digest)
    }
    const image = await push(there, 'redirected')
    const [, blob = ''] = image.blobs
    const path = `/v2/${image.cid}/blobs/${blob}`
    for (const method of ['GET', 'HEAD']) {
      const answer = await client(there).request(method, path)
      assert.equal(answer.status, 307)
      const { host, pathname, searchParams } = new URL(answer.headers.get('location') ?? '')
      assert.equal(host, server.host)
      assert.equal(pathname, `/${bucket.bucket}/docker/registry/v2/blobs/sha256/${hexOf(blob).slice(0, 2)}/${hexOf(blob)}/data`)
      assert.equal(searchParams.get('X-Amz-Expires'), '1200')
      assert.deepEqual([answer.headers.get('cache-control'), answer.headers.get('docker-content-digest')], ['no-store', blob])
    }
    const followed = await fetch(`${there.url}${path}`, { headers: { range: 'bytes=1-3' } })
    assert.deepEqual([followed.status, followed.headers.get('content-range')], [206, 'bytes 1-3/2500000'])
    assert.equal((await fetch(`${there.url}${path}`, { method: 'HEAD' })).headers.get('content-length'), '2500000')
    const unknown = await client(there).request('GET', `/v2/${image.cid}/blobs/sha256:${'0'.repeat(64)}`)
    assert.equal(unknown.status, 404)
    // What is still on its way in is read here, wherever blobs are read later.
    const taker = await scene.disco('redirecting taker', { env: onBucket(await server.bucket(), { redirect: true }), peers: [there.multiaddr()] })
    await clients.crane.pull(`${taker.host}/${image.cid}:latest`, image.digest)
    assert.doesNotMatch(there.log() + taker.log(), new RegExp(`${bucket.secretKey}|X-Amz-Signature`))
  })

  it('says at its start what is wrong with its bucket, and no secret', async () => {
    const bucket = await server.bucket()
    const { accessKey = '', secretKey = '', region: _, ...open } = bucket
    const other = { ACCESS: 'nobody-s3cret', SECRET: 'other-s3cret' }
    const wrong: readonly (readonly [options: object, RegExp, env?: Readonly<Record<string, string>>, driver?: string])[] = [
      [{ ...bucket, bucket: 'missing' }, /: cannot use the bucket missing at http:\S+: NoSuchBucket .*; make it first$/m],
      [{ ...bucket, accessKey: other.ACCESS }, /XAdminUserNotFound .*; see storage\.s3\.accesskey \(in the environment REGISTRY_STORAGE_S3_ACCESSKEY\), and whose it is$/m],
      [{ ...bucket, secretKey: other.SECRET }, /SignatureDoesNotMatch .*; see storage\.s3\.secretkey \(in the environment REGISTRY_STORAGE_S3_SECRETKEY\)$/m],
      [{ ...open, accessKey, secretKey }, /XAdminUserNotFound .*; see storage\.s3\.accesskey/, { REGISTRY_STORAGE_S3_ACCESSKEY: other.ACCESS }],
      [open, /XAdminUserNotFound .*; see AWS_ACCESS_KEY_ID, ~\/\.aws or the machine's role, and whose it is$/m, { AWS_ACCESS_KEY_ID: other.ACCESS, AWS_SECRET_ACCESS_KEY: other.SECRET }],
      [open, /the region "auto" is wrong.*; storage.r2 is for R2, whose region is always auto: for another server name storage.s3$/m, { R2_ACCESS_KEY: accessKey, R2_SECRET_KEY: secretKey }, 'r2'],
      [{ ...bucket, regionEndpoint: 'http://127.0.0.1:1' }, /: cannot use the bucket \S+ at http:\/\/127.0.0.1:1: .*ECONNREFUSED[^;]*$/m],
      [{ ...bucket, regionEndpoint: '127.0.0.1:1' }, /at https:\/\/127.0.0.1:1: .*ECONNREFUSED.*; storage.s3.regionendpoint has no scheme, and https is meant: write http:\/\/127.0.0.1:1 for a server without TLS$/m],
      ...[server.host, `https://${server.host}`].map((regionEndpoint) =>
        [{ ...bucket, regionEndpoint }, new RegExp(`at https://\\S+: Error EPROTO: wrong version number; it has no TLS there: write http://${server.host} at storage.s3.regionendpoint$`, 'm')] as const),
      [{ ...bucket, chunkSize: 1 }, /chunksize: '1' is too small/i],
    ]
    for (const [options, message, env = {}, driver = 's3'] of wrong) {
      const config = join(scene.directory, 'wrong.yaml')
      const keys = Object.entries(options).map(([key, value]) => [key.toLowerCase(), value as unknown])
      await writeFile(config, JSON.stringify({ storage: { [driver]: Object.fromEntries(keys), redirect: { disable: true } } }))
      const said = await scene.disco('wrong', { env, args: ['--config', config] }).then(() => 'it starts', (error: Error) => error.message)
      assert.match(said, message)
      assert.doesNotMatch(said, /disco-test-secret|s3cret/)
      assert.doesNotMatch(said, /\n +at /)
    }
    assert.doesNotMatch(await command(bucket, 'config'), /disco-test-(?:secret|access)/)
  })
})
