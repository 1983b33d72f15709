import { createHash } from 'node:crypto'
import { Connection, type Request, type Response } from '../connection.ts'
import { chunked, createLayer, type Layer } from '../content.ts'
import { MANIFEST, type PushJob, type PushResult } from '../jobs.ts'

const LAYER = 'application/vnd.oci.image.layer.v1.tar'
const CONFIG = 'application/vnd.oci.image.config.v1+json'

interface Image {
  readonly name: string
  readonly tag: string
  readonly layers: readonly Layer[]
}

/** Makes the images and opens the connections; what it returns is the push, to be timed. */
export async function preparePush({ port, images }: PushJob): Promise<() => Promise<PushResult>> {
  const prepared = images.map(({ name, tag, layers }): Image => ({ name, tag, layers: layers.map(createLayer) }))
  const pushes = await Promise.all(prepared.map(async (image) => ({ image, connection: await Connection.open(port) })))
  return async () => {
    const start = performance.now()
    const digests = await Promise.all(pushes.map(({ image, connection }) => pushImage(connection, image)))
    const seconds = (performance.now() - start) / 1000
    for (const { connection } of pushes) connection.close()
    return { digests, seconds, bytes: prepared.flatMap(({ layers }) => layers).reduce((sum, { size }) => sum + size, 0) }
  }
}

async function pushImage(connection: Connection, { name, tag, layers }: Image): Promise<string> {
  for (const layer of layers) await pushLayer(connection, name, layer)
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) } }))
  const configDigest = sha256(config)
  const upload = await expect(connection, 202, { method: 'POST', path: `/v2/${name}/blobs/uploads/`, headers: { 'Content-Length': '0' } })
  await expect(connection, 201, {
    method: 'PUT',
    path: finish(upload, configDigest),
    headers: { 'Content-Type': 'application/octet-stream', 'Content-Length': `${config.length}` },
    body: [config],
  })
  const manifest = Buffer.from(JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: CONFIG, digest: configDigest, size: config.length },
    layers: layers.map(({ digest, size }) => ({ mediaType: LAYER, digest, size })),
  }))
  await expect(connection, 201, {
    method: 'PUT',
    path: `/v2/${name}/manifests/${tag}`,
    headers: { 'Content-Type': MANIFEST, 'Content-Length': `${manifest.length}` },
    body: [manifest],
  })
  return sha256(manifest)
}

/** As Docker does it: POST, one PATCH of unknown length, PUT. */
async function pushLayer(connection: Connection, name: string, layer: Layer): Promise<void> {
  const started = await expect(connection, 202, { method: 'POST', path: `/v2/${name}/blobs/uploads/`, headers: { 'Content-Length': '0' } })
  const sent = await expect(connection, 202, {
    method: 'PATCH',
    path: location(started),
    headers: { 'Content-Type': 'application/octet-stream', 'Transfer-Encoding': 'chunked' },
    body: chunked(layer),
  })
  await expect(connection, 201, { method: 'PUT', path: finish(sent, layer.digest), headers: { 'Content-Length': '0' } })
}

async function expect(connection: Connection, status: number, request: Request): Promise<Response> {
  const response = await connection.request(request)
  if (response.status !== status) throw new Error(`${request.method} ${request.path}: ${response.status} ${response.body.toString()}`)
  return response
}

function location({ headers }: Response): string {
  const { pathname, search } = new URL(headers.get('location') ?? '', 'http://127.0.0.1')
  return `${pathname}${search}`
}

function finish(response: Response, digest: string): string {
  const path = location(response)
  return `${path}${path.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
