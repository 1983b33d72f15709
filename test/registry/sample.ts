import assert from 'node:assert/strict'
import { digestOf, formatDigest } from '../../src/oci/digest.ts'
import type { ErrorCode, RegistryError } from '../../src/oci/errors.ts'
import { OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST } from '../../src/oci/media-type.ts'
import { link } from '../../src/registry/links.ts'
import { blobData, inRepository, within } from '../../src/registry/paths.ts'
import type { Registry } from '../../src/registry/registry.ts'
import type { Change } from '../../src/storage/object-store.ts'

export function bytesOf(text: string): Buffer {
  return Buffer.from(text)
}

export function digestText(bytes: Uint8Array): string {
  return formatDigest(digestOf(bytes))
}

export async function* chunks(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts
}

export async function pushBlob(registry: Registry, name: string, bytes: Uint8Array): Promise<string> {
  const { id } = await registry.startUpload(name)
  await registry.appendUpload(name, id, 0, chunks(bytes))
  await registry.finishUpload(name, id, digestText(bytes))
  return digestText(bytes)
}

export function imageManifest(config: Uint8Array, layers: readonly Uint8Array[], more: Record<string, unknown> = {}): Buffer {
  const descriptor = (bytes: Uint8Array, mediaType: string): unknown => ({ mediaType, digest: digestText(bytes), size: bytes.length })
  return bytesOf(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_IMAGE_MANIFEST,
      config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
      layers: layers.map((layer) => descriptor(layer, 'application/vnd.oci.image.layer.v1.tar')),
      ...more,
    }),
  )
}

export function imageIndex(manifests: readonly Uint8Array[]): Buffer {
  const descriptors = manifests.map((bytes) => ({ mediaType: OCI_IMAGE_MANIFEST, digest: digestText(bytes), size: bytes.length }))
  return bytesOf(JSON.stringify({ schemaVersion: 2, mediaType: OCI_IMAGE_INDEX, manifests: descriptors }))
}

export async function pushImage(registry: Registry, name: string, reference: string, text: string = name): Promise<Buffer> {
  const [config, layer] = [bytesOf(`config of ${text}`), bytesOf(`layer of ${text}`)]
  await pushBlob(registry, name, config)
  await pushBlob(registry, name, layer)
  const bytes = imageManifest(config, [layer])
  await registry.putManifest(name, { reference, bytes })
  return bytes
}

/** What a registry that checks less has written: a manifest and its tag. */
export function storedByOthers(name: string, tag: string, bytes: Uint8Array): Change[] {
  const digest = digestOf(bytes)
  return [
    { put: blobData(digest), data: bytes },
    ...[within.revision(digest), within.tagIndex(tag, digest), within.tagCurrent(tag)].map((path) => link(inRepository(name, path), digest)),
  ]
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Buffer[] = []
  for await (const chunk of source) parts.push(Buffer.from(chunk))
  return Buffer.concat(parts).toString()
}

export async function refused(work: Promise<unknown>, code: ErrorCode, status?: number): Promise<RegistryError> {
  const error = await work.then(() => assert.fail(`expected ${code}`), (reason: RegistryError) => reason)
  assert.equal(error.code, code, error.message)
  if (status !== undefined) assert.equal(error.status, status)
  return error
}
