import { createHash } from 'node:crypto'
import { Connection } from '../connection.ts'
import { MANIFEST, manifestPath, type ImageReference, type PullJob, type Transfer } from '../jobs.ts'

interface Descriptor {
  readonly digest: string
  readonly size: number
}

/** Opens the connections; what it returns is the pull, to be timed. */
export async function preparePull({ port, image, streams, times, verify }: PullJob): Promise<() => Promise<Transfer>> {
  const connections = await Promise.all(Array.from({ length: streams }, () => Connection.open(port)))
  return async () => {
    const start = performance.now()
    const sums = await Promise.all(connections.map(async (connection) => {
      let bytes = 0
      for (let time = 0; time < times; time++) bytes += await pullImage(connection, image, verify)
      return bytes
    }))
    const seconds = (performance.now() - start) / 1000
    for (const connection of connections) connection.close()
    return { seconds, bytes: sums.reduce((sum, bytes) => sum + bytes, 0) }
  }
}

async function pullImage(connection: Connection, image: ImageReference, verify: boolean): Promise<number> {
  const path = manifestPath(image)
  const { status, body } = await connection.request({ method: 'GET', path, headers: { Accept: MANIFEST } })
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${body.toString()}`)
  const manifest = JSON.parse(body.toString()) as { config: Descriptor; layers: Descriptor[] }
  let sum = 0
  for (const descriptor of [manifest.config, ...manifest.layers]) {
    await pullBlob(connection, image.name, descriptor, verify)
    sum += descriptor.size
  }
  return sum
}

async function pullBlob(connection: Connection, name: string, { digest, size }: Descriptor, verify: boolean): Promise<void> {
  const path = `/v2/${name}/blobs/${digest}`
  const hash = createHash('sha256')
  let received = 0
  const { status } = await connection.request({
    method: 'GET',
    path,
    onBody: (chunk) => {
      received += chunk.length
      if (verify) hash.update(chunk)
    },
  })
  if (status !== 200) throw new Error(`GET ${path}: ${status}`)
  if (received !== size) throw new Error(`GET ${path}: ${received} bytes of ${size}`)
  if (verify && `sha256:${hash.digest('hex')}` !== digest) throw new Error(`GET ${path}: other bytes than its digest says`)
}
