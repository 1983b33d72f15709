import type { CID } from 'multiformats/cid'
import { formatDigest, parseDigest, type Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { parseManifest, type Descriptor, type Manifest, type Platform } from '../oci/manifest.ts'
import { readLink } from '../registry/links.ts'
import { blobData, inRepository, REPOSITORIES, within } from '../registry/paths.ts'
import type { AbortOptions, ObjectReader } from '../storage/object-store.ts'
import { closureOf } from './closure.ts'
import { cidOf, isCid } from './names.ts'
import { shownBy } from './repository-tree.ts'

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

/** By its links and manifests alone: where there is no IPFS (`cacheonly`) the original Disco writes no `disco.json`. */
async function summarize(store: ObjectReader, cid: string, options: AbortOptions): Promise<ImageSummary | undefined> {
  const latest = shownBy(cid)
  const digest = await readLink(store, latest, options)
  const stat = await store.stat(latest, options)
  if (digest === undefined || stat === undefined) return undefined
  const manifestOf = async (wanted: Pick<Descriptor, 'digest'>): Promise<Uint8Array> => {
    const bytes = await store.get(blobData(wanted.digest), options)
    if (bytes === undefined) throw new RegistryError('MANIFEST_BLOB_UNKNOWN', `not here: ${formatDigest(wanted.digest)}`)
    return bytes
  }
  try {
    const bytes = await manifestOf({ digest })
    const manifest = parseManifest(bytes)
    const closure = await closureOf({ digest, bytes }, manifestOf)
    return {
      cid,
      digest: formatDigest(digest),
      mediaType: manifest.mediaType,
      size: closure.reduce((sum, { size }) => sum + size, 0),
      platforms: await platformsOf(store, manifest, options),
      createdAt: stat.modifiedAt,
    }
  } catch (error) {
    // Others have damaged it, or are at work on it: it is not whole.
    if (error instanceof RegistryError) return undefined
    throw error
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
