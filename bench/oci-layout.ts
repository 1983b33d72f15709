import { createHash } from 'node:crypto'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createLayer, plain } from './content.ts'
import { MANIFEST } from './jobs.ts'

export interface Layout {
  readonly directory: string
  /** Of the manifest. */
  readonly digest: string
  /** The files that are its layers. */
  readonly layers: readonly string[]
}

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

/** An image of new layers of these sizes, as an OCI image layout (image-spec/image-layout.md). */
export async function writeLayout(directory: string, sizes: readonly number[]): Promise<Layout> {
  const blobs = join(directory, 'blobs/sha256')
  const fileOf = (digest: string): string => join(blobs, digest.slice('sha256:'.length))
  await mkdir(blobs, { recursive: true })
  const layers: Descriptor[] = []
  for (const size of sizes) {
    const layer = createLayer(size)
    await using file = await open(fileOf(layer.digest), 'w')
    for (const block of plain(layer)) await file.write(block)
    layers.push({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer.digest, size })
  }
  const put = async (mediaType: string, value: object): Promise<Descriptor> => {
    const bytes = Buffer.from(JSON.stringify(value))
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    await writeFile(fileOf(digest), bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const config = await put('application/vnd.oci.image.config.v1+json', { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) } })
  const manifest = await put(MANIFEST, { schemaVersion: 2, mediaType: MANIFEST, config, layers })
  await writeFile(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }))
  await writeFile(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  return { directory, digest: manifest.digest, layers: layers.map(({ digest }) => fileOf(digest)) }
}
