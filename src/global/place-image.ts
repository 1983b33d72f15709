import type { CID } from 'multiformats/cid'
import type { DagIndex, Tree } from '../ipfs/node.ts'
import { formatDigest, sameDigest, type Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { blobData } from '../registry/paths.ts'
import type { AbortOptions, ObjectStore } from '../storage/object-store.ts'
import { inParallel } from '../storage/parallel.ts'
import { closureOf, type ClosureEntry, type Root } from './closure.ts'
import { repositoryTree, type PlacedEntry } from './repository-tree.ts'

/** An image as IPFS has it. */
export interface PlacedImage {
  /** The image's global name: the root of its repository. */
  readonly cid: CID
  readonly digest: Digest
  readonly entries: readonly PlacedEntry[]
  readonly tree: Tree
}

/** Objects looked at or laid out at once. */
const AT_ONCE = 4

/**
 * Lays out a stored image and its global repository, whose blocks are there afterwards; names and tags are not touched.
 *
 * @param root the image's manifest, which need not be stored yet
 * @throws RegistryError MANIFEST_BLOB_UNKNOWN, MANIFEST_INVALID: what is here must be what the descriptors say, or nobody could clone it
 */
export async function placeImage(store: ObjectStore, index: DagIndex, root: Root, options: AbortOptions = {}): Promise<PlacedImage> {
  const closure = await closureOf(root, async ({ digest, size }) => {
    // Before it comes into memory: whoever calls a large blob a manifest has lied about its size.
    await checkStored(store, { digest, size }, options)
    const bytes = await store.get(blobData(digest), options)
    if (bytes === undefined) throw unknown(digest)
    return bytes
  })
  const entries = await inParallel(closure, AT_ONCE, async (entry): Promise<PlacedEntry> => {
    const path = blobData(entry.digest)
    if (sameDigest(entry.digest, root.digest)) return { ...entry, cid: await index.file(path, { ...options, content: root.bytes }) }
    await checkStored(store, entry, options)
    return { ...entry, cid: await index.file(path, { ...options, digest: entry.digest }) }
  })
  const tree = repositoryTree(root.digest, entries)
  return { cid: await index.addTree(tree, options), digest: root.digest, entries, tree }
}

async function checkStored(store: ObjectStore, { digest, size }: Pick<ClosureEntry, 'digest' | 'size'>, options: AbortOptions): Promise<void> {
  const stat = await store.stat(blobData(digest), options)
  if (stat === undefined) throw unknown(digest)
  if (stat.size === size) return
  throw new RegistryError('MANIFEST_INVALID', `${formatDigest(digest)} has ${stat.size} bytes, its descriptor says ${size}`)
}

function unknown(digest: Digest): RegistryError {
  const text = formatDigest(digest)
  return new RegistryError('MANIFEST_BLOB_UNKNOWN', `not here: ${text}`, { detail: { digests: [text] } })
}
