import { basename, dirname, join, resolve } from 'node:path'
import { assertDirectory, assertPath } from '../object-path.ts'

/** Where a tree has uploads in progress: no objects, though they lie among them. */
export interface UploadPlaces {
  /** The directory, as an object's path, in which each upload of a repository has one of its own. */
  of(repository: string): string
  /** Whether a path is such a directory, or below one. */
  includes(path: string): boolean
  /** Whether such a directory can be below a path. */
  mayBeBelow(path: string): boolean
}

/** Names that begin so are ours and no objects'. */
const OWN = '.disco'

/** Objects' paths as files' paths. */
export class TreePaths {
  readonly root: string
  /** Files on their way in, and trees on their way out. */
  readonly temporary: string
  /** One directory for each upload of ours: which repository it is in, and the lock. */
  readonly sessions: string
  readonly lock: string
  /** What the commit that has the lock does. */
  readonly journal: string
  /** Room for what gives room. */
  readonly reserve: string
  readonly places: UploadPlaces

  constructor(root: string, places: UploadPlaces) {
    this.root = resolve(root)
    this.places = places
    const own = join(this.root, OWN)
    this.temporary = join(own, 'tmp')
    this.sessions = join(own, 'uploads')
    this.lock = join(own, 'commit.lock')
    this.journal = join(own, 'commit.json')
    this.reserve = join(own, 'reserve')
  }

  /** @throws TypeError for what can be no object's path in this tree */
  file(path: string): string {
    assertPath(path)
    if (this.isReserved(path)) throw new TypeError(`no place for an object: ${JSON.stringify(path)}`)
    return join(this.root, path)
  }

  directory(path: string): string {
    assertDirectory(path)
    return join(this.root, path)
  }

  /** Where the bytes of an upload are. */
  upload(repository: string, id: string): string {
    return join(this.root, this.places.of(repository), encodeURIComponent(id))
  }

  session(id: string): string {
    return join(this.sessions, encodeURIComponent(id))
  }

  isReserved(path: string): boolean {
    return this.places.includes(path) || path.split('/').some((segment) => segment.startsWith(OWN))
  }
}

/** Beside an object: the hashes of its chunks. */
export function chunkFile(file: string): string {
  return join(dirname(file), `${OWN}-chunks.${basename(file)}`)
}
