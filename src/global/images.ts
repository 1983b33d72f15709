import type { CID } from 'multiformats/cid'
import { formatDigest, parseDigest, type Digest } from '../oci/digest.ts'
import { parseManifest, type Manifest, type Platform } from '../oci/manifest.ts'
import { readLink } from '../registry/links.ts'
import { blobData, inRepository, REPOSITORIES, within } from '../registry/paths.ts'
import type { AbortOptions, ObjectReader } from '../storage/object-store.ts'
import { readDiscoFile } from './disco-file.ts'
import { cidOf, isCid } from './names.ts'

/** An image that is here whole, under its global name. */
export interface ImageSummary {
  readonly cid: string
  readonly digest: string
  readonly mediaType: string
  /** Bytes of its manifests, configs and layers together, each counted once. */
  readonly size: number
  /** `linux/arm64/v8`; several for an index. */
  readonly platforms: readonly string[]
  /** When it became global here, in milliseconds since the epoch; 0: nobody knows. */
  readonly createdAt: number
}

const PAGE = 500
/** Bytes of a config that is looked into. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024
/** CIDs of directories begin so, and few other names do: listing may begin there. */
const FIRST_CID = 'bafybe'

/** The images of a store, in the order of their CIDs. */
export async function* listImages(store: ObjectReader, options: AbortOptions = {}): AsyncIterable<ImageSummary> {
  for await (const cid of globalNames(store, options)) {
    const image = await summarize(store, cid.toString(), options)
    if (image !== undefined) yield image
  }
}

/** The CIDs that repositories are named after, in their order. */
export async function* globalNames(store: ObjectReader, options: AbortOptions = {}): AsyncIterable<CID> {
  let after = FIRST_CID
  for (;;) {
    const names = await store.list(REPOSITORIES, { ...options, after, limit: PAGE })
    for (const name of names) {
      if (!name.startsWith(FIRST_CID)) return
      const cid = cidOf(name)
      if (cid !== undefined) yield cid
    }
    const last = names.at(-1)
    if (names.length < PAGE || last === undefined) return
    after = last
  }
}

/** The global name of the image with this manifest, or undefined where it has none here. */
export async function cidOfDigest(store: ObjectReader, digest: Digest, options: AbortOptions = {}): Promise<string | undefined> {
  const tags = await store.list(inRepository(digest.hex, within.tags), { ...options, limit: PAGE })
  return tags.find(isCid)
}

/** Digests of global images that begin with this hex, at most `limit` of them, in their order. */
export async function digestsBeginning(store: ObjectReader, hex: string, limit: number, options: AbortOptions = {}): Promise<Digest[]> {
  const found: Digest[] = []
  for (let after: string | undefined = hex.slice(0, -1); after !== undefined; ) {
    const names: string[] = await store.list(REPOSITORIES, { ...options, after, limit: PAGE })
    for (const name of names) {
      if (!name.startsWith(hex) && name > hex) return found
      const digest = name.startsWith(hex) ? parseDigest(`${name.length === 128 ? 'sha512' : 'sha256'}:${name}`) : undefined
      if (digest === undefined || (await cidOfDigest(store, digest, options)) === undefined) continue
      if (found.push(digest) === limit) return found
    }
    after = names.length < PAGE ? undefined : names.at(-1)
  }
  return found
}

/** The manifest that a tag of a name points to, or undefined where there is no such tag. */
export async function digestOfTag(store: ObjectReader, name: string, tag: string, options: AbortOptions = {}): Promise<Digest | undefined> {
  return readLink(store, inRepository(name, within.tagCurrent(tag)), options)
}

async function summarize(store: ObjectReader, cid: string, options: AbortOptions): Promise<ImageSummary | undefined> {
  const path = inRepository(cid, within.discoFile)
  const [file, stat] = [await store.get(path, options), await store.stat(path, options)]
  if (file === undefined || stat === undefined) return undefined
  const digests = readDiscoFile(file).map((entry) => entry.digest)
  const root = digests[0]
  const bytes = root === undefined ? undefined : await store.get(blobData(root), options)
  if (root === undefined || bytes === undefined) return undefined
  const manifest = parseManifest(bytes)
  const sizes = await Promise.all(digests.map(async (digest) => (await store.stat(blobData(digest), options))?.size ?? 0))
  return {
    cid,
    digest: formatDigest(root),
    mediaType: manifest.mediaType,
    size: sizes.reduce((sum, size) => sum + size, 0),
    platforms: await platformsOf(store, manifest, options),
    createdAt: stat.modifiedAt,
  }
}

async function platformsOf(store: ObjectReader, manifest: Manifest, options: AbortOptions): Promise<string[]> {
  if (manifest.manifests.length > 0) {
    const named = manifest.manifests.flatMap(({ platform }) => (platform === undefined || !isNamed(platform) ? [] : [formatPlatform(platform)]))
    return [...new Set(named)]
  }
  const config = manifest.blobs[0]
  // What has no config has a layer there, of any size.
  const bytes = config === undefined || config.size > MAX_CONFIG_BYTES ? undefined : await store.get(blobData(config.digest), options)
  const platform = bytes === undefined ? undefined : configPlatform(bytes)
  return platform === undefined ? [] : [formatPlatform(platform)]
}

/** What image-spec's config.md has; other artifacts have anything, and no platform. */
function configPlatform(bytes: Uint8Array): Platform | undefined {
  try {
    const { os, architecture, variant } = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Platform>
    if (typeof os !== 'string' || typeof architecture !== 'string' || !isNamed({ os, architecture })) return undefined
    return { os, architecture, ...(typeof variant === 'string' ? { variant } : {}) }
  } catch {
    return undefined
  }
}

/** Attestations have `unknown`, and crane's empty image has neither. */
function isNamed({ os, architecture }: Platform): boolean {
  return os !== '' && os !== 'unknown' && architecture !== ''
}

function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/')
}
