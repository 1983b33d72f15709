import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { onBucket } from '../harness/bucket-flags.ts'
import { run } from '../harness/command.ts'
import type { DiscoServer } from '../harness/disco.ts'
import { incompressible } from '../harness/images.ts'
import { CID_HEADER, OCI_MANIFEST, RegistryClient, digestOf, expectStatus } from '../harness/registry-client.ts'
import { S3Server } from '../harness/s3.ts'
import { Scene } from '../harness/scene.ts'
import { residentMemory } from './resident-memory.ts'

/** MiB; more by hand: `DISCO_TEST_BLOB=5120`, with room for twice that below the directory for temporary files. */
const SIZE = Number(process.env['DISCO_TEST_BLOB'] ?? 1000)
/** MiB by which a process may grow, whatever the size: what is on its way, and what waits to be collected. */
const GROWTH = 170
/** … of a server, which also has what HTTP brings. */
const SERVER_GROWTH = 250
const MIB = 1024 * 1024

interface LargeImage {
  readonly cid: string
  readonly layer: string
}

describe('a large blob', { timeout: 1_800_000 }, () => {
  let scene: Scene
  let server: S3Server

  before(async () => {
    scene = await Scene.begin()
    server = await S3Server.start()
    scene.atEnd(() => server.remove())
  })
  after(() => scene.end())

  it('goes into a bucket and comes back in memory that does not grow with it', async () => {
    const options = JSON.stringify(await server.bucket())
    const grown = Number(await run(process.execPath, [join(import.meta.dirname, 'large-blob.ts'), options, String(SIZE)], { timeout: 1_200_000 }))
    assert.ok(grown < GROWTH, `it grew by ${grown} MiB`)
  })

  it('goes through a server in one stream and comes back, from it and by redirect, in such memory too', async (t) => {
    const bucket = await server.bucket()
    const direct = await scene.disco('direct', { env: onBucket(bucket) })
    await push(direct, 1)
    let image: LargeImage | undefined
    await assertFlat(t, 'push', direct, async () => {
      image = await push(direct, SIZE)
    })
    const { cid, layer } = image ?? assert.fail()
    await assertFlat(t, 'pull', direct, () => pull(direct, cid, layer))
    await direct.stop()
    const redirecting = await scene.disco('redirecting', { env: onBucket(bucket, { redirect: true }) })
    await assertFlat(t, 'pull by redirect', redirecting, () => pull(redirecting, cid, layer))
    await redirecting.stop()
  })
})

async function assertFlat(t: TestContext, what: string, { pid }: DiscoServer, work: () => Promise<void>): Promise<void> {
  const begun = performance.now()
  const { before, peak, course } = await residentMemory(pid, work)
  t.diagnostic(`${what}: ${Math.round((performance.now() - begun) / 1000)} s, ${before} MiB before, ${peak} at most: ${course.join(' ')}`)
  assert.ok(peak - before < SERVER_GROWTH, `${what}: it grew from ${before} to ${peak} MiB`)
}

/** An image of one layer, which goes in one PATCH whose length nobody knows. */
async function push({ url }: DiscoServer, size: number): Promise<LargeImage> {
  const client = new RegistryClient(url)
  const hash = createHash('sha256')
  const begun = await client.startUpload('large/app')
  const init = { body: ReadableStream.from(pieces(size, hash.update.bind(hash))), duplex: 'half', headers: { 'content-type': 'application/octet-stream' } } as RequestInit
  const location = expectStatus(await client.request('PATCH', begun.location, init), 202).headers.get('location') ?? ''
  const layer = `sha256:${hash.digest('hex')}`
  await client.finishUpload({ location, size: size * MIB }, layer)
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [layer] } }))
  await client.finishUpload(await client.startUpload('large/app'), digestOf(config), config)
  const manifest = Buffer.from(JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: config.length },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer, size: size * MIB }],
  }))
  return { cid: expectStatus(await client.putManifest('large/app', 'latest', manifest), 201).headers.get(CID_HEADER) ?? '', layer }
}

async function pull({ url }: DiscoServer, cid: string, layer: string): Promise<void> {
  const answer = await fetch(`${url}/v2/${cid}/blobs/${layer}`)
  assert.equal(answer.status, 200)
  const hash = createHash('sha256')
  for await (const chunk of answer.body ?? assert.fail()) hash.update(chunk)
  assert.equal(`sha256:${hash.digest('hex')}`, layer)
}

async function* pieces(size: number, seen: (piece: Uint8Array) => void): AsyncGenerator<Uint8Array> {
  const noise = incompressible('large', MIB)
  for (let number = 0; number < size; number++) {
    const piece = Buffer.from(noise)
    piece.writeUInt32LE(number)
    seen(piece)
    yield piece
  }
}
