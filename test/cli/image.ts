import type { Registry } from '../../src/registry/registry.ts'
import { digestOf, formatDigest } from '../../src/oci/digest.ts'

export interface PushedImage {
  readonly cid: string
  readonly digest: string
  /** Bytes of manifest, config and layer together. */
  readonly size: number
  readonly layer: Uint8Array
}

/** Pushes a small image as `tour:v1`. */
export async function pushImage(registry: Registry): Promise<PushedImage> {
  const config = encode({ os: 'linux', architecture: 'arm64', variant: 'v8' })
  const layer = new Uint8Array(3_000_000).fill(7)
  const descriptors: object[] = []
  for (const bytes of [config, layer]) {
    const { id } = await registry.startUpload('tour')
    await registry.appendUpload('tour', id, undefined, once(bytes))
    await registry.finishUpload('tour', id, formatDigest(digestOf(bytes)))
    descriptors.push({ mediaType: 'application/octet-stream', digest: formatDigest(digestOf(bytes)), size: bytes.length })
  }
  const manifest = encode({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config: descriptors[0], layers: [descriptors[1]] })
  const { cid = '', digest } = await registry.putManifest('tour', { reference: 'v1', bytes: manifest })
  return { cid, digest: formatDigest(digest), size: manifest.length + config.length + layer.length, layer }
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}
