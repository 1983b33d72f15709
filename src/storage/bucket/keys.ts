import { assertDirectory, assertPath } from '../object-path.ts'

/** What a store has to know of its objects' paths, whose meaning is not its business. */
export interface BucketPlaces {
  /** Changes of one group exclude each other. Undefined: the path spans several. */
  groupOf(path: string): string | undefined
  /** Whether an object there makes others visible: it is put after all that come before it, and before all that come after. */
  reveals(path: string): boolean
  /** Whether whatever is put there has always the same bytes. */
  isConstant(path: string): boolean
  /** Whether a path is in a place where others keep uploads in progress: no objects, though they lie among them. */
  includes(path: string): boolean
}

/**
 * What is ours in a bucket and no objects, below its root directory:
 *
 *     .disco/
 *       conditions                     shows whether the server heeds those of writes
 *       chunks/<path>                  hashes of the chunks of the object there, see chunk-objects.ts
 *       journal/<commit>               what a commit is about to do, see journal.ts
 *       locks/<stripe>                 who is at work on which groups of paths, see locks.ts
 *       uploads/<id>/session           see upload-record.ts
 *       uploads/<id>/<number>-<salt>   its bytes, in pieces
 */
const OWN = '.disco'

export const keys = {
  /** Never there. */
  nothing: '.disco/nothing',
  conditions: '.disco/conditions',
  chunks: (path: string): string => `${OWN}/chunks/${path}`,
  journals: '.disco/journal/',
  journal: (commit: string): string => `${OWN}/journal/${commit}`,
  lock: (stripe: string): string => `${OWN}/locks/${stripe}`,
  uploads: '.disco/uploads/',
  upload: (id: string): string => `${OWN}/uploads/${encodeURIComponent(id)}/`,
  session: (id: string): string => `${OWN}/uploads/${encodeURIComponent(id)}/session`,
  piece: (id: string, name: string): string => `${OWN}/uploads/${encodeURIComponent(id)}/${name}`,
} as const

/** @throws TypeError for what can be no object's path in a bucket */
export function assertObject(path: string, places: BucketPlaces): void {
  assertPath(path)
  if (isReserved(path, places)) throw new TypeError(`no place for an object: ${JSON.stringify(path)}`)
}

/** What the keys of all that is below a directory begin with. */
export function below(directory: string): string {
  assertDirectory(directory)
  return directory === '' ? '' : `${directory}/`
}

export function isReserved(path: string, places: BucketPlaces): boolean {
  return path === OWN || path.startsWith(`${OWN}/`) || places.includes(path)
}
