import type { CID } from 'multiformats/cid'
import type { Tree } from '../ipfs/node.ts'
import type { Digest } from '../oci/digest.ts'
import { link, linkData } from '../registry/links.ts'
import { inRepository, within } from '../registry/paths.ts'
import { referrerChange } from '../registry/referrers.ts'
import type { Change } from '../storage/object-store.ts'
import type { ClosureEntry } from './closure.ts'
import { writeDiscoFile } from './disco-file.ts'

/** An object of the image and the CID of its bytes. */
export interface PlacedEntry extends ClosureEntry {
  readonly cid: CID
}

/** The one tag of a global repository. */
export const LATEST = 'latest'

/** The object that shows an image to be in the store, by its CID: a global repository is here when its `latest` is. */
export function shownBy(cid: CID | string): string {
  return inRepository(cid.toString(), within.tagCurrent(LATEST))
}

/**
 * The files of a global repository: of the image's objects and their CIDs, and of nothing else, so that one image has
 * one CID.
 */
export function repositoryTree(root: Digest, image: readonly PlacedEntry[]): Tree {
  return new Map([
    [within.discoFile, writeDiscoFile(image)],
    ...image.flatMap(({ digest, manifest, blob }) => [
      ...(blob ? [[within.layer(digest), linkData(digest)] as const] : []),
      ...(manifest ? [[within.revision(digest), linkData(digest)] as const] : []),
    ]),
    [within.tagIndex(LATEST, root), linkData(root)],
    [within.tagCurrent(LATEST), linkData(root)],
  ])
}

export interface GlobalImage {
  readonly cid: CID
  readonly digest: Digest
  readonly entries: readonly ClosureEntry[]
  readonly tree: Tree
}

/**
 * Makes `<digest hex>` and `<cid>` of a tree, what makes them visible last: a global repository is here when its
 * `latest` is. Beside the tree they list which of the image's manifests refer to which.
 */
export function globalRepositories({ cid, digest, entries, tree }: GlobalImage): Change[] {
  const [byCid, byDigest] = [cid.toString(), digest.hex]
  const latest = within.tagCurrent(LATEST)
  const filesOf = (name: string): Change[] =>
    [...tree].flatMap(([path, data]) => (path === latest ? [] : [{ put: inRepository(name, path), data }]))
  const referrersOf = (name: string): Change[] =>
    entries.flatMap((entry) => (entry.refers === undefined ? [] : [referrerChange(name, entry.refers.subject, entry.digest, entry.refers.as)]))
  return [
    ...[byDigest, byCid].flatMap((name) => [...filesOf(name), ...referrersOf(name)]),
    link(inRepository(byDigest, within.tagIndex(byCid, digest)), digest),
    link(inRepository(byDigest, within.tagCurrent(byCid)), digest),
    link(inRepository(byDigest, latest), digest),
    link(shownBy(cid), digest),
  ]
}
