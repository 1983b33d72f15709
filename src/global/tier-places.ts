import { parseDigest } from '../oci/digest.ts'
import { blobAt, blobData, bucketPlaces, REPOSITORIES, repository, ROOT, uploadPlaces } from '../registry/paths.ts'
import type { TierPlaces, Unit } from '../storage/tiered/places.ts'
import { isOnlyPullable } from './names.ts'

const REVISION = /\/_manifests\/revisions\/([^/]+)\/([^/]+)\/link$/

/** What is fixed in the stored tree: blobs, and the repositories that are named by what they hold. */
export const tierPlaces: TierPlaces = {
  root: ROOT,
  isShared: (path) => (path === ROOT || path.startsWith(`${ROOT}/`)) && !uploadPlaces.includes(path),
  unitOf,
  nameOf,
  reveals: bucketPlaces.reveals,
  linkedFrom: manifestOf,
}

function unitOf(path: string): Unit | undefined {
  const blob = blobAt(path)
  if (blob !== undefined) return { path, digest: blob }
  const name = nameOf(path)
  return name !== undefined && isOnlyPullable(name.slice(REPOSITORIES.length + 1)) ? { path: name } : undefined
}

function manifestOf(path: string): string | undefined {
  const [, algorithm = '', hex = ''] = REVISION.exec(path) ?? []
  const digest = parseDigest(`${algorithm}:${hex}`)
  return digest && blobData(digest)
}

function nameOf(path: string): string | undefined {
  if (!path.startsWith(`${REPOSITORIES}/`)) return undefined
  const name = bucketPlaces.groupOf(path)?.replace(/^name /, '')
  return name === undefined || name === '' ? undefined : repository(name)
}
