import { createHash } from 'node:crypto'
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './command.ts'
import { OCI_MANIFEST, digestOf, hexOf } from './registry-client.ts'

const DEBIAN_BUILDER = join(import.meta.dirname, '../images/debian')
const BUILD_MS = 600_000

/**
 * The OCI layout of a real image of some 200 MB in four layers, made from Debian's packages; its tag is `debian`. Built
 * once a machine and version of the builder, below DISCO_TEST_CACHE (or the directory for temporary files).
 */
export async function debianImage(): Promise<string> {
  const cache = process.env['DISCO_TEST_CACHE'] ?? join(tmpdir(), 'disco-test-cache')
  const version = createHash('sha256').update(await readFile(DEBIAN_BUILDER)).digest('hex').slice(0, 12)
  const layout = join(cache, `debian-${version}`)
  const built = await access(layout).then(() => true, () => false)
  if (!built) {
    await mkdir(cache, { recursive: true })
    await run(DEBIAN_BUILDER, [layout], { timeout: BUILD_MS })
  }
  return layout
}

/** The digest of the manifest that the layout's tag names. */
export async function digestInLayout(layout: string, tag: string): Promise<string> {
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as {
    manifests: { digest: string; annotations?: Record<string, string> }[]
  }
  const entry = index.manifests.find(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === tag)
  if (entry === undefined) throw new Error(`no ${tag} in ${layout}`)
  return entry.digest
}

export interface SmallImage {
  /** Made of it: two images are equal when their seeds are. */
  readonly seed: string
  /** Linux platforms; more than one makes an index. @default ['amd64'] */
  readonly architectures?: readonly string[]
  /** Bytes of each layer's content, before compression; it can't be compressed. @default [3000] */
  readonly layers?: readonly number[]
}

/** Writes an OCI layout with one image or index, tag `small`, and gives the digest that the tag names. */
export async function smallImage(layout: string, image: SmallImage): Promise<string> {
  await mkdir(join(layout, 'blobs/sha256'), { recursive: true })
  await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  const architectures = image.architectures ?? ['amd64']
  const manifests = []
  for (const architecture of architectures) {
    const descriptor = await putImage(layout, `${image.seed}/${architecture}`, architecture, image.layers ?? [3000])
    manifests.push({ ...descriptor, platform: { os: 'linux', architecture } })
  }
  const [only] = manifests
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const index = { schemaVersion: 2, mediaType, manifests }
  const named = architectures.length === 1 ? only : { mediaType, ...(await putJson(layout, index)) }
  if (named === undefined) throw new Error('an image needs a platform')
  const annotations = { 'org.opencontainers.image.ref.name': 'small' }
  const entry = { schemaVersion: 2, manifests: [{ ...named, annotations }] }
  await writeFile(join(layout, 'index.json'), JSON.stringify(entry))
  return named.digest
}

async function putImage(layout: string, seed: string, architecture: string, sizes: readonly number[]) {
  const layers = []
  const diffIds = []
  for (const [number, size] of sizes.entries()) {
    const { tar, gzip } = await layerOf(`${seed}/${number}`, number, size)
    diffIds.push(digestOf(tar))
    layers.push({ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...(await putBlob(layout, gzip)) })
  }
  const rootfs = { type: 'layers', diff_ids: diffIds }
  const configJson = { architecture, os: 'linux', config: { Cmd: ['/0'] }, rootfs }
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', ...(await putJson(layout, configJson)) }
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers }
  return { mediaType: OCI_MANIFEST, ...(await putJson(layout, manifest)) }
}

async function layerOf(seed: string, number: number, size: number): Promise<{ tar: Buffer; gzip: Buffer }> {
  const dir = await mkdtemp(join(tmpdir(), 'disco-layer-'))
  try {
    await writeFile(join(dir, String(number)), incompressible(seed, size))
    const reproducible = ['--mtime=@0', '--owner=0', '--group=0', '--numeric-owner']
    await run('tar', [...reproducible, '-C', dir, '-cf', join(dir, 'tar'), String(number)])
    await run('gzip', ['-nk', join(dir, 'tar')])
    return { tar: await readFile(join(dir, 'tar')), gzip: await readFile(join(dir, 'tar.gz')) }
  } finally {
    await rm(dir, { recursive: true })
  }
}

/** Bytes that look random and depend on the seed alone. */
export function incompressible(seed: string, size: number): Buffer<ArrayBuffer> {
  return Buffer.from(createHash('shake256', { outputLength: size }).update(seed).digest())
}

function putJson(layout: string, value: unknown): Promise<{ digest: string; size: number }> {
  return putBlob(layout, Buffer.from(JSON.stringify(value)))
}

async function putBlob(layout: string, bytes: Buffer): Promise<{ digest: string; size: number }> {
  const digest = digestOf(bytes)
  await writeFile(join(layout, 'blobs/sha256', hexOf(digest)), bytes)
  return { digest, size: bytes.length }
}
