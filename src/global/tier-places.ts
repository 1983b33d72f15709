import { parseDigest } from '../oci/digest.ts'
import { REPOSITORIES, ROOT, bucketPlaces, uploadPlaces } from '../registry/paths.ts'
import type { TierPlaces } from '../storage/tiered/places.ts'
import { isOnlyPullable } from './names.ts'

const BLOB = new RegExp(`^${ROOT}/blobs/([^/]+)/[^/]+/([^/]+)/data$`)
/** What is in a repository begins so. */
const INSIDE = /^_|^disco\.json$/

/** What two stores of one registry have in common, and what of it is the same for ever: blobs, and repositories named by what they hold. */
export const tierPlaces: TierPlaces = {
  root: ROOT,
  isShared: (path) => path.startsWith(`${ROOT}/`) && !uploadPlaces.includes(path),
  unitOf: (path) => {
    const [, algorithm, hex] = BLOB.exec(path) ?? []
    const digest = parseDigest(`${algorithm}:${hex}`)
    if (digest !== undefined) return { path, digest }
    const name = nameIn(path)
    return name !== undefined && isOnlyPullable(name) ? { path: `${REPOSITORIES}/${name.split('/', 1)[0]}` } : undefined
  },
  nameOf: (path) => {
    const name = nameIn(path)
    return name === undefined || isOnlyPullable(name) ? undefined : `${REPOSITORIES}/${name}`
  },
  reveals: bucketPlaces.reveals,
}

/** Of a repository at a path, or in which it is. */
function nameIn(path: string): string | undefined {
  if (!path.startsWith(`${REPOSITORIES}/`)) return undefined
  const segments = path.slice(REPOSITORIES.length + 1).split('/')
  const inside = segments.findIndex((segment) => INSIDE.test(segment))
  return inside === 0 ? undefined : segments.slice(0, inside === -1 ? segments.length : inside).join('/')
}
