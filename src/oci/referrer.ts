import { formatDigest, type Digest } from './digest.ts'
import type { Manifest } from './manifest.ts'

/** The descriptor of a manifest that has a subject, as the list of the subject's referrers shows it. */
export interface Referrer {
  readonly mediaType: string
  readonly digest: string
  /** Bytes of the manifest. */
  readonly size: number
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
}

/**
 * distribution-spec §Listing Referrers: the descriptors MUST include an `artifactType` field that is set to the value of
 * the `artifactType` in the image manifest or index, if present; … the descriptors MUST include annotations.
 */
export function referrerOf({ mediaType, artifactType, annotations }: Manifest, digest: Digest, size: number): Referrer {
  return {
    mediaType,
    digest: formatDigest(digest),
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  }
}

/**
 * distribution-spec §Referrers Tag Schema: the Truncated Algorithm, a `-` character, and the Truncated Encoded section.
 * The digests known here have no character that a tag may not have.
 */
export function referrersTag({ algorithm, hex }: Digest): string {
  return `${algorithm}-${hex.slice(0, 64)}`
}
