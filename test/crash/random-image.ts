import { randomInt } from 'node:crypto'
import { incompressible } from '../e2e/harness/images.ts'
import { OCI_MANIFEST, digestOf } from '../e2e/harness/registry-client.ts'

/** An image in memory that nobody has pushed before. */
export interface RandomImage {
  /** Config and layers. */
  readonly blobs: readonly Buffer<ArrayBuffer>[]
  readonly manifest: Buffer<ArrayBuffer>
  readonly digest: string
  /** Bytes of it all. */
  readonly size: number
}

const SMALLEST_LAYER = 1000
const LARGEST_LAYER = 5 << 20

/**
 * Three layers of random sizes, by default around the size of a chunk; what is in them depends on the seed.
 *
 * @param largest bytes of a layer at most
 */
export function randomImage(seed: string, largest: number = LARGEST_LAYER): RandomImage {
  const rootfs = { type: 'layers', diff_ids: [] }
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs, seed }))
  const sizes = [0, 1, 2].map(() => randomInt(SMALLEST_LAYER, largest))
  const layers = sizes.map((size, number) => incompressible(`${seed}/${number}`, size))
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: layers.map((layer) => descriptor('application/vnd.oci.image.layer.v1.tar', layer)),
    }),
  )
  const blobs = [config, ...layers]
  const size = [...blobs, manifest].reduce((sum, { length }) => sum + length, 0)
  return { blobs, manifest, digest: digestOf(manifest), size }
}

function descriptor(mediaType: string, bytes: Buffer): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: digestOf(bytes), size: bytes.length }
}
