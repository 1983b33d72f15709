import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/options.ts'
import { ConfigError } from '../config/problem.ts'
import { tierPlaces as places } from '../global/tier-places.ts'
import { RestoringIndex } from '../ipfs/restoring-index.ts'
import { StorageFailedError } from '../storage/errors.ts'
import { LateStore } from '../storage/late-store.ts'
import type { ObjectLinks } from '../storage/object-store.ts'
import { TieredStore } from '../storage/tiered/store.ts'
import type { Logger } from '../telemetry/logger.ts'
import { linksOf } from './links.ts'
import { ofParts } from './parts.ts'
import { openPlace, placeName, type OpenPlace, type Place } from './place.ts'
import type { BuiltStorage } from './storage.ts'

/** Milliseconds that a start waits for the cache. */
const PATIENCE = 3_000

/**
 * A cache in front of IPFS, which need not be there when Disco starts; or, for replicas, a bucket that all of them have
 * beside the same Kubos, which must.
 *
 * @throws StorageFailedError, KuboUnfitError
 */
export function openTiered(place: Place, config: Config, openIpfs: () => Promise<BuiltStorage>, log: Logger): Promise<BuiltStorage> {
  const { readonly, replicas } = config
  return ofParts(async (parts) => {
    const ipfs = parts.adopt(await openIpfs(), (opened) => opened.close())
    const cache = parts.adopt(await (replicas ? openPlace(place, { readonly, log }) : openLate(place, readonly, log)), (opened) => opened.close())
    const [authority, copy] = replicas ? [cache.store, ipfs.store] : [ipfs.store, cache.store]
    const tier = parts.adopt(
      new TieredStore({ authority, copy, places, first: replicas ? 'authority' : 'copy', strict: replicas, readonly, log }),
      (opened) => opened.close(),
    )
    const links = linksOf(config, cache.links)
    return {
      ...ipfs,
      store: tier,
      links: links && (replicas ? links : linksWhereCached(links, tier)),
      index: new RestoringIndex(ipfs.index, (path, options) => tier.restore(path, options)),
      shared: replicas,
      // What the other of the two has goes on being served.
      checks: [...ipfs.checks, { name: replicas ? 'ipfs_copy' : 'cache', probe: () => tier.probe(), options: {} }].map((check) => ({ ...check, options: { ...check.options, advisory: true } })),
      background: [...ipfs.background, tier],
      close: () => parts.disposeAsync(),
    }
  })
}

/** Links to what is in the cache now; the rest is served here, and there the next time. */
function linksWhereCached(links: ObjectLinks, tier: TieredStore): ObjectLinks {
  return {
    presigned: async (path, method, seconds) => ((await tier.hasInCopy(path)) ? links.presigned(path, method, seconds) : undefined),
  }
}

/** A cache that is not to be had keeps nothing from starting. @throws ConfigError where what speaks to it is not installed */
async function openLate(place: Place, readonly: boolean, log: Logger): Promise<OpenPlace> {
  let opened: OpenPlace | undefined
  let isClosed = false
  const store = new LateStore(async () => {
    const found = await openPlace(place, { readonly, log })
    if (isClosed) {
      await found.close()
      throw new StorageFailedError('the cache is closed')
    }
    opened = found
    return found.store
  })
  const opening = store.open().catch((err: unknown) => {
    // What is not installed will not come.
    if (err instanceof ConfigError) throw err
    if (!isClosed) log.error({ err }, `the cache is not to be had: ${placeName(place)}; images are served from IPFS until it is`)
  })
  opening.catch(() => {})
  await Promise.race([opening, sleep(PATIENCE, undefined, { ref: false })])
  return {
    store,
    links: { presigned: async (...wanted) => opened?.links?.presigned(...wanted) },
    async close() {
      isClosed = true
      await opened?.close()
    },
  }
}
