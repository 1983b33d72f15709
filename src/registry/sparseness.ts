import type { Descriptor, Platform } from '../oci/manifest.ts'
import type { Missing } from './references.ts'

/** What a manifest may refer to although it is not in the repository. */
export interface Sparseness {
  /**
   * Which children of an index must be here: Distribution's `validation.manifests.indexes.platforms`. Those for some
   * platforms; one that names no platform must be here then.
   * @default 'all'
   */
  readonly indexPlatforms?: 'all' | 'none' | readonly Platform[] | undefined
  /** Whether configs and layers may be missing, too. @default false */
  readonly blobs?: boolean | undefined
}

/** What of the missing is needed. */
export function neededOf(missing: Missing, { indexPlatforms = 'all', blobs = false }: Sparseness): Descriptor[] {
  const needed = (child: Descriptor): boolean => {
    if (typeof indexPlatforms === 'string') return indexPlatforms === 'all'
    const { platform } = child
    return platform === undefined || indexPlatforms.some((listed) => matches(platform, listed))
  }
  return [...(blobs ? [] : missing.blobs), ...missing.manifests.filter(needed)]
}

/** A listed platform without a variant stands for all its variants. */
function matches(platform: Platform, listed: Platform): boolean {
  return platform.os === listed.os && platform.architecture === listed.architecture
    && (listed.variant === undefined || listed.variant === platform.variant)
}
