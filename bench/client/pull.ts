import { createHash } from 'node:crypto'
import { Connection } from '../connection.ts'
import { MANIFEST, manifestPath, type ImageReference, type PullJob, type Transfer } from '../jobs.ts'

interface Connections {
  readonly registry: Connection
  /** Once a blob is to be had there. */
  elsewhere?: Connection
}

interface Descriptor {
  readonly digest: string
  readonly size: number
}

/** Opens the connections; what it returns is the pull, to be timed. */
export async function preparePull({ port, image, streams, times, verify }: PullJob): Promise<() => Promise<Transfer>> {
  const streaming = await Promise.all(Array.from({ length: streams }, async (): Promise<Connections> => ({ registry: await Connection.open(port) })))
  return async () => {
    const start = performance.now()
    const sums = await Promise.all(streaming.map(async (connections) => {
      let bytes = 0
      for (let time = 0; time < times; time++) bytes += await pullImage(connections, image, verify)
      return bytes
    }))
    const seconds = (performance.now() - start) / 1000
    for (const { registry, elsewhere } of streaming) {
      registry.close()
      elsewhere?.close()
    }
    return { seconds, bytes: sums.reduce((sum, bytes) => sum + bytes, 0) }
  }
}

async function pullImage(connections: Connections, image: ImageReference, verify: boolean): Promise<number> {
  const path = manifestPath(image)
  const { status, body } = await connections.registry.request({ method: 'GET', path, headers: { Accept: MANIFEST } })
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${body.toString()}`)
  const manifest = JSON.parse(body.toString()) as { config: Descriptor; layers: Descriptor[] }
  let sum = 0
  for (const descriptor of [manifest.config, ...manifest.layers]) {
    await pullBlob(connections, image.name, descriptor, verify)
    sum += descriptor.size
  }
  return sum
}

async function pullBlob(connections: Connections, name: string, { digest, size }: Descriptor, verify: boolean): Promise<void> {
  const path = `/v2/${name}/blobs/${digest}`
  const hash = createHash('sha256')
  let received = 0
  const onBody = (chunk: Uint8Array): void => {
    received += chunk.length
    if (verify) hash.update(chunk)
  }
  let answer = await connections.registry.request({ method: 'GET', path, onBody })
  if (answer.status === 307) {
    received = 0
    const { port, pathname, search } = new URL(answer.headers.get('location') ?? '')
    connections.elsewhere ??= await Connection.open(Number(port))
    answer = await connections.elsewhere.request({ method: 'GET', path: `${pathname}${search}`, anonymous: true, onBody })
  }
  const { status } = answer
  if (status !== 200) throw new Error(`GET ${path}: ${status}`)
  if (received !== size) throw new Error(`GET ${path}: ${received} bytes of ${size}`)
  if (verify && `sha256:${hash.digest('hex')}` !== digest) throw new Error(`GET ${path}: other bytes than its digest says`)
}
