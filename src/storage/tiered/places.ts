import type { Digest } from '../../oci/digest.ts'

/** The same bytes wherever they are: what one store has of it, the other may give for it. */
export interface Unit {
  /** Of the object, or of the directory that all of it is in. */
  readonly path: string
  /** Of its bytes, where it is one object. */
  readonly digest?: Digest | undefined
}

/** What an object has to hold, as far as its path tells. */
export interface Claim {
  /** Bytes that it may have. */
  readonly most: number
  /** Another object, which tells the rest; while that is missing, or wrong, nothing is proven. */
  readonly by?: string | undefined
  proves(data: Uint8Array, by: Uint8Array | undefined): boolean
}

/** What a tier has to know of paths. */
export interface TierPlaces {
  /** Below which everything is that is in both stores: looked at for what one of them has lost. */
  readonly root: string
  /** Below which everything is that has a name. */
  readonly names: string
  /** Whether what is at a path is in both; all else is the authority's alone. */
  isShared(path: string): boolean
  /** The fixed thing that a path is, is in, or has nothing but; undefined: it may change, and the authority alone is asked. */
  unitOf(path: string): Unit | undefined
  /** The directory of what is one thing though it may change, where the path is that of such a directory, or in it: a repository with a name. */
  nameOf(path: string): string | undefined
  /** Whether what is there of it comes and goes as a whole: a tag, or what else is linked. */
  isPart(path: string): boolean
  /** What is fixed and has no digest may tell so; undefined: it may be anything. */
  claimOf(path: string): Claim | undefined
  /** Whether what it is in is seen once this is there. */
  reveals(path: string): boolean
  /** Where the object is that a link names and that is wanted with it: the manifest of a revision. */
  linkedFrom(path: string): string | undefined
}

/** Whether one is the other, or is in it. */
export function touch(a: string, b: string): boolean {
  return isAt(a, b) || isAt(b, a)
}

/** Whether a path is that of a directory, or below it. */
export function isAt(path: string, directory: string): boolean {
  return path === directory || directory === '' || path.startsWith(`${directory}/`)
}

/** The directories that a path is in. */
export function* above(path: string): Generator<string, void, void> {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) yield path.slice(0, end)
}

/** Without those that are in others. */
export function outermost(paths: Iterable<string>): string[] {
  const all = new Set(paths)
  return [...all].filter((path) => !above(path).some((directory) => all.has(directory)))
}
