import type { AbortOptions } from '../storage/object-store.ts'

/** What Disco adds to a registry, for programs: `services.Disco` of the original. */
export interface DiscoService {
  /** Whether `name` is one that names what it holds, a CIDv1 or the hex of a digest: clients can pull it and not push to it. */
  isOnlyPullable(name: string): boolean

  /**
   * Makes what `<name>:latest` holds now global, after which the tag goes, and with it the name where nothing else is
   * tagged in it. Safe to repeat with the same image.
   *
   * @returns the image's CID
   * @throws RegistryError DENIED, NAME_UNKNOWN, MANIFEST_UNKNOWN, MANIFEST_BLOB_UNKNOWN, UNAVAILABLE
   */
  makeGlobalRepo(name: string, options?: AbortOptions): Promise<string>

  /**
   * Brings the image whose CID is `name` here, whole. What is here already is left alone.
   *
   * @throws RegistryError NAME_INVALID for what is no CID, NAME_UNKNOWN, MANIFEST_UNVERIFIED, UNAVAILABLE
   */
  cloneGlobalRepo(name: string, options?: AbortOptions): Promise<void>
}
