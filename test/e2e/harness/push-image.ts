import { incompressible } from './images.ts'
import { CID_HEADER, OCI_MANIFEST, digestOf, expectStatus, type RegistryClient } from './registry-client.ts'

export interface PushedImage {
  readonly cid: string
  readonly digest: string
  /** Of the config, then of the layers. */
  readonly blobs: readonly string[]
}

export interface ImageToPush {
  /** Made of it: two images are equal when their seeds and sizes are. */
  readonly seed: string
  /** Bytes of each layer. */
  readonly sizes: readonly number[]
}

/** Pushes an image of one platform as `<name>:latest`, by the specification and nothing else. */
export async function pushImage(client: RegistryClient, name: string, { seed, sizes }: ImageToPush): Promise<PushedImage> {
  const layers = sizes.map((size, number) => incompressible(`${seed} ${number}`, size))
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: layers.map(digestOf) } }))
  for (const blob of [config, ...layers]) await client.finishUpload(await client.startUpload(name), digestOf(blob), blob)
  const manifest = Buffer.from(JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: config.length },
    layers: layers.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf(layer), size: layer.length })),
  }))
  const answer = expectStatus(await client.putManifest(name, 'latest', manifest), 201)
  return { cid: answer.headers.get(CID_HEADER) ?? '', digest: digestOf(manifest), blobs: [config, ...layers].map(digestOf) }
}
