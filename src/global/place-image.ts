import type { CID } from 'multiformats/cid'
import type { DagIndex, Tree } from '../ipfs/node.ts'
import { formatDigest, sameDigest, type Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { blobData } from '../registry/paths.ts'
import type { AbortOptions, ObjectStore } from '../storage/object-store.ts'
import { closureOf, type ClosureEntry, type Root } from './closure.ts'
import { inParallel } from './parallel.ts'
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
    const path = blobData(digest)
    // Whoever names a large blob as a manifest must not bring it into memory.
    checkSize(digest, size, (await store.stat(path, options))?.size ?? size)
    const bytes = await store.get(path, options)
    if (bytes === undefined) throw unknown(digest)
    return bytes
  })
  const placed = await inParallel(closure, AT_ONCE, async (entry): Promise<PlacedEntry[]> => {
    const { digest } = entry
    const path = blobData(digest)
    if (sameDigest(digest, root.digest)) return [{ ...entry, cid: await index.file(path, { ...options, content: root.bytes }) }]
    if (!await isStored(store, entry, options)) return []
    return [{ ...entry, cid: await index.file(path, options) }]
  })
  const entries = placed.flat()
  const tree = repositoryTree(root.digest, entries)
  return { cid: await index.addTree(tree, options), digest: root.digest, entries, tree }
}

async function isStored(store: ObjectStore, { digest, size, foreign }: ClosureEntry, options: AbortOptions): Promise<boolean> {
  const stat = await store.stat(blobData(digest), options)
  if (stat !== undefined) checkSize(digest, size, stat.size)
  else if (!foreign) throw unknown(digest)
  return stat !== undefined
}

function checkSize(digest: Digest, said: number, actual: number): void {
  if (said === actual) return
  throw new RegistryError('MANIFEST_INVALID', `${formatDigest(digest)} has ${actual} bytes, its descriptor says ${said}`)
}

function unknown(digest: Digest): RegistryError {
  const text = formatDigest(digest)
  return new RegistryError('MANIFEST_BLOB_UNKNOWN', `not here: ${text}`, { detail: { digests: [text] } })
}
