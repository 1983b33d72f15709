import { parseDigest, type Digest } from '../oci/digest.ts'

/**
 * Every stored path, as Distribution and the original Disco draw them, so that their trees open as they are:
 *
 *     docker/registry/v2/
 *       blobs/<algorithm>/<first 2 hex>/<hex>/data
 *       repositories/<name>/
 *         disco.json                                              CID and digest repositories only
 *         _layers/<algorithm>/<hex>/link                          config and layers
 *         _manifests/revisions/<algorithm>/<hex>/link
 *         _manifests/referrers/<algorithm>/<subject hex>/<algorithm>/<hex>   ours: a descriptor as JSON, see referrers.ts
 *         _manifests/tags/<tag>/current/link
 *         _manifests/tags/<tag>/index/<algorithm>/<hex>/link
 *     disco/                                                      ours, not in any repository
 *       recent/<half days since the epoch>/<name>/…               what names had before they went, see global/recent.ts
 *       layouts/<CID>                                             which blocks an image is made of, where nobody can tell, see global/image-indexer.ts
 *       tier/<id>                                               paths at which the second of two stores is not the first yet, see storage/tiered
 *       turns/tier                                              who changes the second now
 *       health/<process>                                        a byte that is written to see whether it can be, and gone at once
 *
 * A link holds `<algorithm>:<hex>` and no newline.
 */
export const ROOT = 'docker/registry/v2'
export const REPOSITORIES: string = `${ROOT}/repositories`

const BLOB = /^docker\/registry\/v2\/blobs\/([^/]+)\/[^/]+\/([^/]+)\/data$/

export function blobData({ algorithm, hex }: Digest): string {
  return `${ROOT}/blobs/${algorithm}/${hex.slice(0, 2)}/${hex}/data`
}

/** The digest of the blob at a path; undefined where that is no blob's. */
export function blobAt(path: string): Digest | undefined {
  const [, algorithm = '', hex = ''] = BLOB.exec(path) ?? []
  const digest = parseDigest(`${algorithm}:${hex}`)
  return digest !== undefined && blobData(digest) === path ? digest : undefined
}

export function repository(name: string): string {
  return `${REPOSITORIES}/${name}`
}

/** Where the layout of an image is that can't be told from its objects. */
export function layoutPath(cid: string): string {
  return `disco/layouts/${cid}`
}

/** Paths inside a repository, without its own: what its IPFS directory holds. */
export const within = {
  discoFile: 'disco.json',
  layers: '_layers',
  revisions: '_manifests/revisions',
  referrers: '_manifests/referrers',
  tags: '_manifests/tags',
  layer: ({ algorithm, hex }: Digest): string => `_layers/${algorithm}/${hex}/link`,
  revision: ({ algorithm, hex }: Digest): string => `_manifests/revisions/${algorithm}/${hex}/link`,
  referrersOf: ({ algorithm, hex }: Digest): string => `_manifests/referrers/${algorithm}/${hex}`,
  referrer: (subject: Digest, { algorithm, hex }: Digest): string => `${within.referrersOf(subject)}/${algorithm}/${hex}`,
  tag: (tag: string): string => `_manifests/tags/${tag}`,
  tagCurrent: (tag: string): string => `_manifests/tags/${tag}/current/link`,
  tagIndex: (tag: string, { algorithm, hex }: Digest): string => `_manifests/tags/${tag}/index/${algorithm}/${hex}/link`,
} as const

/** The same paths below a named repository. */
export function inRepository(name: string, path: string): string {
  return `${repository(name)}/${path}`
}

/**
 * Uploads in progress of a store whose objects are files, where Distribution has its own:
 * `repositories/<name>/_uploads/<id>/{data,startedat}`. No segment of a name begins with `_`.
 */
export const uploadPlaces = {
  of: (name: string): string => inRepository(name, '_uploads'),
  includes: (path: string): boolean => /^docker\/registry\/v2\/repositories\/(?:[^/_][^/]*\/)+_uploads(?:\/|$)/.test(path),
  mayBeBelow: (path: string): boolean => /^docker(?:\/registry(?:\/v2(?:\/repositories(?:\/[^/_][^/]*)*)?)?)?$/.test(path),
} as const

/** Names of what is in a repository begin so, or are this one. */
const INSIDE = /^_|^disco\.json$/
/** What repositories are below, with what is remembered of each. */
const OF_NAMES = /^(?:docker\/registry\/v2\/repositories|disco\/recent\/[^/]+|disco\/layouts)\//

/**
 * What a store without transactions, in which many machines write, has to know of paths: which changes exclude each other,
 * which must come after others, and which are the same whoever makes them.
 */
export const bucketPlaces = {
  includes: (path: string): boolean => uploadPlaces.includes(path),
  /** A repository with what is remembered of it and how it is laid out; a blob; what one process keeps. */
  groupOf: (path: string): string | undefined => {
    const segments = path.split('/')
    if (OF_NAMES.test(path)) {
      const named = path.replace(OF_NAMES, '').split('/')
      const inside = named.findIndex((segment) => INSIDE.test(segment))
      return `name ${named.slice(0, inside === -1 ? named.length : inside).join('/')}`
    }
    if (path.startsWith(`${ROOT}/blobs/`) && segments.length > 6) return segments.slice(0, 7).join('/')
    if (segments[0] === 'docker' || (segments[0] === 'disco' && segments.length < 3) || path === '') return undefined
    return segments.slice(0, segments[0] === 'disco' ? 3 : 1).join('/')
  },
  reveals: (path: string): boolean => path.endsWith('/current/link'),
  isConstant: (path: string): boolean => path.startsWith(`${ROOT}/blobs/`) || /^disco\/(?:events|tier)\//.test(path) || /\/_layers\/[^/]+\/[^/]+\/link$/.test(path),
} as const
