import { isAt, type TierPlaces } from '../../src/storage/tiered/places.ts'

/** Every object is one thing, and fixed, as far as who reads is told: so what is changed all the same shows whether the copy keeps up. */
export function allFixed(root: string): TierPlaces {
  return {
    root,
    names: root,
    isShared: (path) => isAt(path, root),
    unitOf: (path) => ({ path }),
    nameOf: () => undefined,
    isPart: () => false,
    claimOf: () => undefined,
    reveals: () => false,
    linkedFrom: () => undefined,
  }
}
