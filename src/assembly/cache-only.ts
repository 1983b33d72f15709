import { join } from 'node:path'
import type { Config } from '../config/options.ts'
import { UnpublishedIndex } from '../global/unpublished-index.ts'
import { Database, DATABASE_FILE } from '../storage/embedded/database.ts'
import type { Logger } from '../telemetry/logger.ts'
import { linksOf } from './links.ts'
import { ofParts } from './parts.ts'
import { openPlace, type Place } from './place.ts'
import type { BuiltStorage } from './storage.ts'

/** Images in what is a cache elsewhere, and no IPFS. @throws StorageFailedError */
export async function openCacheOnly(place: Place, config: Config, log: Logger): Promise<BuiltStorage> {
  const { data, readonly } = config
  return ofParts(async (parts) => {
    const { store, links } = parts.adopt(await openPlace(place, { readonly, log }), (opened) => opened.close())
    const database = parts.adopt(await Database.open(join(data, DATABASE_FILE)), (opened) => opened.close())
    return {
      store,
      links: linksOf(config, links),
      index: new UnpublishedIndex(store),
      provides: { provide: async () => {} },
      queue: { count: () => 0 },
      database,
      shared: true,
      checks: [],
      background: [],
      close: () => parts.disposeAsync(),
    }
  })
}
