import { parseDigest, type Digest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { isRepositoryName, isTag } from '../oci/reference.ts'

/** @throws RegistryError NAME_INVALID */
export function checkName(name: string): void {
  if (!isRepositoryName(name)) throw new RegistryError('NAME_INVALID', undefined, { detail: { name } })
}

/** @throws RegistryError DIGEST_INVALID */
export function checkDigest(text: string): Digest {
  const digest = parseDigest(text)
  if (digest === undefined) throw new RegistryError('DIGEST_INVALID', 'malformed or unsupported digest', { detail: { digest: text } })
  return digest
}

/** @throws RegistryError MANIFEST_INVALID: the specification has no code for tags */
export function checkTag(tag: string): string {
  if (!isTag(tag)) throw new RegistryError('MANIFEST_INVALID', 'malformed tag', { detail: { tag } })
  return tag
}

export type Reference = { readonly digest: Digest; readonly tag?: undefined } | { readonly tag: string; readonly digest?: undefined }

/**
 * A tag has no colon and a digest has one.
 *
 * @throws RegistryError DIGEST_INVALID, MANIFEST_INVALID
 */
export function checkReference(reference: string): Reference {
  if (reference.includes(':')) return { digest: checkDigest(reference) }
  return { tag: checkTag(reference) }
}
