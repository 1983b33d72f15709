import { VerificationError } from '../ipfs/errors.ts'
import { formatDigest, parseDigest, type Digest } from '../oci/digest.ts'
import { blobAt, blobData, bucketPlaces, REPOSITORIES, repository, ROOT, uploadPlaces, within } from '../registry/paths.ts'
import type { Claim, TierPlaces, Unit } from '../storage/tiered/places.ts'
import { readDiscoFile } from './disco-file.ts'
import { isCid, isOnlyPullable } from './names.ts'
import { LATEST } from './repository-tree.ts'

const PART = /\/(?:_layers\/[^/]+|_manifests\/(?:tags|revisions\/[^/]+|referrers\/[^/]+\/[^/]+\/[^/]+))\/[^/]+$/
const REVISION = /\/_manifests\/revisions\/([^/]+)\/([^/]+)\/link$/
const LINK = /^(?:_layers|_manifests\/revisions|_manifests\/tags\/[^/]+\/index)\/([^/]+)\/([^/]+)\/link$/
const CURRENT = /^_manifests\/tags\/([^/]+)\/current\/link$/

/** Bytes of a link, and of the largest `disco.json`. */
const MAX_LINK = 200
const MAX_DISCO_FILE = 8 * 1024 * 1024

/** What is fixed in the stored tree: blobs, and the repositories that are named by what they hold. */
export const tierPlaces: TierPlaces = {
  root: ROOT,
  names: REPOSITORIES,
  isShared: (path) => (path === ROOT || path.startsWith(`${ROOT}/`)) && !uploadPlaces.includes(path),
  unitOf,
  nameOf,
  isPart: (path) => PART.test(path),
  claimOf,
  reveals: bucketPlaces.reveals,
  linkedFrom: manifestOf,
}

function unitOf(path: string): Unit | undefined {
  const blob = blobAt(path)
  if (blob !== undefined) return { path, digest: blob }
  const name = nameOf(path)
  return name !== undefined && isOnlyPullable(name.slice(REPOSITORIES.length + 1)) ? { path: name } : undefined
}

/** What the links of a fixed repository point to: most say it by where they are, and `latest` of a CID is what `disco.json` begins with. */
function claimOf(path: string): Claim | undefined {
  const unit = unitOf(path)
  if (unit === undefined || unit.digest !== undefined || path.length <= unit.path.length) return undefined
  const name = unit.path.slice(REPOSITORIES.length + 1)
  const inside = path.slice(unit.path.length + 1)
  if (inside === within.discoFile) return { most: MAX_DISCO_FILE, proves: (data) => rootOf(data) !== undefined }
  const [, algorithm, hex] = LINK.exec(inside) ?? []
  if (algorithm !== undefined && hex !== undefined) return linkTo(`${algorithm}:${hex}`)
  const [, tag] = CURRENT.exec(inside) ?? []
  if (tag === undefined) return undefined
  const digest = parseDigest(`${name.length === 128 ? 'sha512' : 'sha256'}:${name}`)
  if (digest !== undefined) return linkTo(formatDigest(digest))
  if (!isCid(name) || tag !== LATEST) return { most: MAX_LINK, proves: (data) => parseDigest(textOf(data)) !== undefined }
  const proves = (data: Uint8Array, discoFile: Uint8Array | undefined): boolean => {
    const root = discoFile && rootOf(discoFile)
    return root !== undefined && textOf(data) === formatDigest(root)
  }
  return { most: MAX_LINK, by: `${unit.path}/${within.discoFile}`, proves }
}

function linkTo(digest: string): Claim {
  return { most: MAX_LINK, proves: (data) => textOf(data) === digest }
}

function rootOf(discoFile: Uint8Array): Digest | undefined {
  try {
    return readDiscoFile(discoFile)[0]?.digest
  } catch (error) {
    if (error instanceof VerificationError) return undefined
    throw error
  }
}

function textOf(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1')
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
