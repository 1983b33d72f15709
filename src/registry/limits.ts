import { RegistryError } from '../oci/errors.ts'

/**
 * distribution-spec §Pushing Manifests: manifest pushes of at least 4 megabytes are supported; more is 413. What may be
 * in so many bytes is bounded as well, by `oci/bounded-json.ts`: nested 64 deep, 150,000 keys and values.
 */
export const MAX_MANIFEST_BYTES: number = 4 * 1024 * 1024

/** Manifests and blobs of one image at most: about what a directory holds that need not be sharded, many times what real ones have. */
export const MAX_REFERENCES = 2000

/** Bytes of all manifests of one image: each is parsed when it is pushed, and a clone has them in memory. */
export const MAX_MANIFESTS_BYTES: number = 32 * 1024 * 1024

/** Indexes in indexes. */
export const MAX_DEPTH = 4

/** Tags of one push. */
export const MAX_TAGS = 100

export function manifestTooLarge(): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `manifest is larger than ${MAX_MANIFEST_BYTES} bytes`, { status: 413 })
}

export function blobTooLarge(limit: number): RegistryError {
  return new RegistryError('SIZE_INVALID', `a blob may have ${limit} bytes here`, { status: 413 })
}

export function tooManyReferences(): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `more than ${MAX_REFERENCES} manifests and blobs`)
}

export function tooManyManifestBytes(): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `manifests of more than ${MAX_MANIFESTS_BYTES} bytes together`)
}

export function tooDeep(): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `indexes more than ${MAX_DEPTH} deep`)
}

export function tooManyTags(): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `more than ${MAX_TAGS} tags`, { status: 414 })
}
