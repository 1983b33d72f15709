import type { Config } from '../config/options.ts'
import type { ApiPolicy } from '../http/dispatch.ts'
import { RegistryCore } from '../registry/core.ts'
import type { Sparseness } from '../registry/sparseness.ts'
import type { ObjectLinks, ObjectStore } from '../storage/object-store.ts'

type Choice = Pick<Config, 'catalogMax' | 'deleteEnabled' | 'indexPlatforms' | 'indexPlatformList' | 'limits' | 'readonly' | 'sparse'>

/** The registry under the global one, as strict as the configuration says. */
export function createCore(config: Choice, store: ObjectStore, links?: ObjectLinks): RegistryCore {
  return new RegistryCore(store, { sparseness: sparsenessOf(config), catalogMax: config.catalogMax, blobSize: config.limits.blobSize || undefined, links })
}

export function policyOf({ deleteEnabled, readonly }: Choice): ApiPolicy {
  return { deletes: deleteEnabled, readonly }
}

function sparsenessOf({ indexPlatforms, indexPlatformList, sparse }: Choice): Sparseness {
  if (sparse) return { indexPlatforms: 'none', blobs: true }
  return { indexPlatforms: indexPlatforms === 'list' ? indexPlatformList : indexPlatforms }
}
