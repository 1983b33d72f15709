import type { Digest } from '../../oci/digest.ts'

/** The same bytes wherever they are: what one store has of it, the other may give for it. */
export interface Unit {
  /** Of the object, or of the directory that all of it is in. */
  readonly path: string
  /** Of its bytes, where it is one object. */
  readonly digest?: Digest | undefined
}

/** What a tier has to know of paths. */
export interface TierPlaces {
  /** Below which everything is that is in both stores: looked at for what one of them has lost. */
  readonly root: string
  /** Whether what is at a path is in both; all else is the authority's alone. */
  isShared(path: string): boolean
  /** The fixed thing that a path is, or is in; undefined: it may change, and the authority alone is asked. */
  unitOf(path: string): Unit | undefined
  /** The directory of what is one thing though it may change, where the path is that of such a directory, or in it: a repository with a name. */
  nameOf(path: string): string | undefined
  /** Whether what it is in is seen once this is there. */
  reveals(path: string): boolean
}
