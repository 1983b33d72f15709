import type { CID } from 'multiformats/cid'
import { VerificationError } from '../ipfs/errors.ts'
import type { FileFetch, ImageSession, Tree, TreeLimits, WantedFile } from '../ipfs/node.ts'
import { digestOf, formatDigest, parseDigest, sameDigest, type Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { parseManifest } from '../oci/manifest.ts'
import { MAX_MANIFEST_BYTES, MAX_REFERENCES } from '../registry/limits.ts'
import { blobData, within } from '../registry/paths.ts'
import type { StoredManifest } from '../registry/registry.ts'
import type { AbortOptions } from '../storage/object-store.ts'
import { closureOf } from './closure.ts'
import { readDiscoFile, type DiscoEntry } from './disco-file.ts'
import type { PlacedImage } from './place-image.ts'
import { LATEST, repositoryTree, type PlacedEntry } from './repository-tree.ts'

/** An image of others, verified but for its blobs' bytes, which are still to come. */
export interface ClonedImage extends PlacedImage {
  /** By their digest, the image's own first. */
  readonly manifests: ReadonlyMap<string, StoredManifest>
  /** The manifests on their way into the store. */
  readonly fetched: readonly Fetched[]
}

export interface Fetched {
  readonly path: string
  readonly digest: Digest
  readonly fetch: FileFetch
}

/** `_manifests/tags/latest/index/sha256/<hex>` is six deep. */
const TREE_LIMITS: TreeLimits = { bytes: 8 * 1024 * 1024, files: 2 * MAX_REFERENCES + 3, depth: 8 }

/**
 * Reads the repository of an image and all its manifests, and holds them against each other: nothing may be missing and
 * nothing in excess.
 *
 * @throws ContentUnavailableError
 * @throws VerificationError when it is not what a push leaves
 */
export async function readImage(cid: CID, session: ImageSession, options: AbortOptions = {}): Promise<ClonedImage> {
  const tree = await session.tree(TREE_LIMITS, options)
  const digest = latestOf(tree)
  const listed = new Map(readDiscoFile(fileOf(tree, within.discoFile)).map((entry) => [formatDigest(entry.digest), entry]))
  const [first] = listed.values()
  if (first === undefined || !sameDigest(first.digest, digest)) throw new VerificationError(`disco.json does not begin with ${formatDigest(digest)}`)

  const manifests = new Map<string, StoredManifest>()
  const fetched: Fetched[] = []
  const load = async (wanted: DiscoEntry, size: WantedFile['size']): Promise<Uint8Array> => {
    const file = { cid: wanted.cid, digest: wanted.digest, size, path: blobData(wanted.digest) }
    const fetch = session.fetch(file)
    fetch.done.catch(() => {})
    const bytes = await contentOf(fetch, wanted.digest, options)
    manifests.set(formatDigest(wanted.digest), { digest: wanted.digest, mediaType: parseManifest(bytes).mediaType, bytes })
    fetched.push({ ...file, fetch })
    return bytes
  }

  try {
    const bytes = await load(first, { atMost: MAX_MANIFEST_BYTES })
    const closure = await closureOf({ digest, bytes }, (child) => load(entryOf(listed, child.digest), child.size))
    const entries = closure.map((entry): PlacedEntry => ({ ...entry, cid: entryOf(listed, entry.digest).cid }))
    if (entries.length !== listed.size) throw new VerificationError(`disco.json has ${listed.size - entries.length} entries that are not of the image`)
    checkTree(tree, repositoryTree(digest, entries))
    return { cid, digest, entries, tree, manifests, fetched }
  } catch (cause) {
    if (cause instanceof RegistryError) throw new VerificationError(`the image's manifest: ${cause.message}`, { cause })
    throw cause
  }
}

async function contentOf(fetch: FileFetch, digest: Digest, options: AbortOptions): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of fetch.read({}, options)) {
    size += chunk.byteLength
    if (size > MAX_MANIFEST_BYTES) throw new VerificationError(`${formatDigest(digest)}: more than ${MAX_MANIFEST_BYTES} bytes for a manifest`)
    chunks.push(new Uint8Array(chunk))
  }
  const bytes = Buffer.concat(chunks)
  // The last check before the answer goes out, as cheap as it is.
  if (!sameDigest(digestOf(bytes, digest.algorithm), digest)) throw new VerificationError(`a manifest's content is not ${formatDigest(digest)}`)
  return bytes
}

function latestOf(tree: Tree): Digest {
  const digest = parseDigest(new TextDecoder().decode(fileOf(tree, within.tagCurrent(LATEST))))
  if (digest === undefined) throw new VerificationError(`${within.tagCurrent(LATEST)} is not a link`)
  return digest
}

function fileOf(tree: Tree, path: string): Uint8Array {
  const bytes = tree.get(path)
  if (bytes === undefined) throw new VerificationError(`${path} is missing`)
  return bytes
}

function entryOf(listed: ReadonlyMap<string, DiscoEntry>, digest: Digest): DiscoEntry {
  const entry = listed.get(formatDigest(digest))
  if (entry === undefined) throw new VerificationError(`${formatDigest(digest)} is missing in disco.json`)
  return entry
}

/** `disco.json` was compared by what it says. */
function checkTree(tree: Tree, expected: Tree): void {
  for (const path of tree.keys()) {
    if (!expected.has(path)) throw new VerificationError(`${path.slice(0, 200)} is no file of the image`)
  }
  for (const [path, bytes] of expected) {
    if (path !== within.discoFile && !Buffer.from(bytes).equals(fileOf(tree, path))) throw new VerificationError(`${path} is wrong`)
  }
}
